import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { biasOf, scaleOfBias } from '../../formats/preShifted.js';
import { countPackedWeightBytes, type ForwardKernels } from '../../kernels/forwardKernels.js';
import { storeScale } from '../../kernels/reference/scales.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import { BIAS_FACTORS, indexOfLeast } from './candidates.js';
import { sampleBytes, takerOf } from '../samples/sizes.js';
import type { OutputRowsTask } from '../samples/tasks.js';
import type { LlmFp4Api, QuantizeRowsTask, RowBiasesTask } from './tasks.js';

/** Scratch of the tasks here. */
export function biasScratchBytes(rows: number, inputs: number): number {
  const count = BIAS_FACTORS.length;
  return 8 * 64 + 2 * sampleBytes(count, inputs) + sampleBytes(rows, count);
}

/** Sampled rows by which candidates are first told apart. */
const FIRST_ROWS = 32;

/** The search of LLM-FP4 in a worker. */
export function makeLlmFp4Methods(
  loader: ChunkLoader,
  kernels: ForwardKernels,
): Handlers<LlmFp4Api> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const floats = (at: number, count: number) => new Float32Array(memory.buffer, at, count);

  const rowOf = ({ weights, samples }: OutputRowsTask, output: number) =>
    floats(weights.at + output * weights.stride * 4, samples.inputs);

  return {
    searchRowBiases: seeing((task) => searchRowBiases(kernels, memory, task)),

    quantizeRowsByBias: seeing((task) => {
      const { samples, run, format, biases, scaleDtype, packed, region } = task;
      const { inputs } = samples;
      const outputs = run.end - run.first;
      const at = takerOf(region)(outputs * inputs * 4);
      for (let output = run.first; output < run.end; output++) {
        const bias = biases[output];
        const scale = storedScale(format, bias, scaleDtype);
        const place = {
          source: { at: task.weights.at + output * task.weights.stride * 4, stride: inputs },
          target: { at: at + (output - run.first) * inputs * 4, stride: inputs },
        };
        kernels.roundRows({ ...place, rows: 1, columns: inputs, levels: format.levels, scale });
      }
      if (packed !== undefined) {
        const target = packed + countPackedWeightBytes(run.first, inputs);
        kernels.packRows({ at, stride: inputs }, outputs, inputs, target);
        return;
      }
      for (let output = run.first; output < run.end; output++) {
        rowOf(task, output).set(floats(at + (output - run.first) * inputs * 4, inputs));
      }
    }),
  };
}

/** A scale as it is stored; 0 for rows without weights. */
function storedScale(
  format: QuantizeRowsTask['format'],
  bias: number,
  dtype: QuantizeRowsTask['scaleDtype'],
): number {
  return storeScale(scaleOfBias(format, bias), dtype).value;
}

function searchRowBiases(
  kernels: ForwardKernels,
  memory: WebAssembly.Memory,
  { samples, weights, run, packed, target, format, scaleDtype, region }: RowBiasesTask,
): Float64Array {
  const { rows, inputs } = samples;
  const count = BIAS_FACTORS.length;
  const take = takerOf(region);
  const candidates = { at: take(count * inputs * 4), stride: inputs };
  const packedWeights = take(countPackedWeightBytes(count, inputs));
  const output = { at: take(sampleBytes(rows, count)), stride: count };
  const chosen = new Float64Array(run.end - run.first);
  for (let row = run.first; row < run.end; row++) {
    const source = { at: weights.at + row * weights.stride * 4, stride: inputs };
    const largest = new Float32Array(memory.buffer, source.at, inputs).reduce(
      (most, value) => Math.max(most, Math.abs(value)),
      0,
    );
    const initial = biasOf(format, largest);
    chosen[row - run.first] = initial;
    if (initial === Infinity) continue;
    for (const [index, factor] of BIAS_FACTORS.entries()) {
      const place = { at: candidates.at + index * inputs * 4, stride: inputs };
      const scale = storedScale(format, factor * initial, scaleDtype);
      const { levels } = format;
      kernels.roundRows({ source, target: place, rows: 1, columns: inputs, levels, scale });
    }
    kernels.packRows(candidates, count, inputs, packedWeights);
    const product = { packedInputs: packed, packedWeights, bias: 0, output };
    kernels.multiply({ ...product, rows, outputs: count, inputs, accumulate: false });
    const losses = new Float64Array(count);
    const values = new Float32Array(memory.buffer, output.at, rows * count);
    for (let sample = 0; sample < rows; sample++) {
      const at = target.at + (sample * target.stride + row) * 4;
      const [wanted] = new Float32Array(memory.buffer, at, 1);
      for (let i = 0; i < count; i++) losses[i] += (values[sample * count + i] - wanted) ** 2;
    }
    chosen[row - run.first] = BIAS_FACTORS[indexOfLeast(losses)] * initial;
  }
  return chosen;
}
