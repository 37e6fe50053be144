import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { parseFormat } from '../../formats/index.js';
import { quantizeWeighted } from '../../kernels/reference/weightedChunk.js';
import type { Handlers } from '../../rpc/rpc.js';
import type { ImportanceApi, ImportanceTask } from './tasks.js';

/** Rounding by importance in a worker. */
export function makeImatrixMethods(loader: ChunkLoader): Handlers<ImportanceApi> {
  /** The weights where they lie, and as they are rounded without an importance. */
  const load = (task: Omit<ImportanceTask, 'importance'>) => {
    const { weights: run, format: asked, scaleDtype, region, memoryEnd } = task;
    loader.ensureVisible(memoryEnd);
    const { at, rows, inputs } = run;
    const elements = rows * inputs;
    const weights = new Float32Array(loader.memory.buffer, at, elements);
    const kernels = loader.kernelsIn(region);
    kernels.weights(elements).set(weights);
    const format = parseFormat(asked.id);
    const { tensorRange } = asked;
    const shape = { rows, columns: inputs };
    kernels.quantize(format, scaleDtype, shape, { keepOutput: true, tensorRange });
    return { weights, plain: kernels.output(elements), format, shape, tensorRange };
  };
  return {
    quantizeByImportance(task) {
      const { importance, scaleDtype } = task;
      const { weights, plain, format, shape, tensorRange } = load(task);
      const output = new Float32Array(weights.length);
      quantizeWeighted({ format, scaleDtype, shape, weights, importance, output, tensorRange });
      const errors = {
        weighted: weightedError(output, weights, importance),
        plain: weightedError(plain, weights, importance),
      };
      weights.set(output);
      return errors;
    },
    quantizeWithout(task) {
      const { weights, plain } = load(task);
      weights.set(plain);
    },
  };
}

/** Σ importance·(ŵ − w)². */
function weightedError(
  values: Float32Array,
  weights: Float32Array,
  importance: Float32Array,
): number {
  const { length: columns } = importance;
  let sum = 0;
  for (let first = 0; first < weights.length; first += columns) {
    for (let i = 0; i < columns; i++) {
      const error = values[first + i] - weights[first + i];
      sum += importance[i] * error * error;
    }
  }
  return sum;
}
