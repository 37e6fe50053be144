import type { ChunkLoader } from '../../compute/chunkLoader.js';
import { parseFormat } from '../../formats/index.js';
import { storeScale } from '../../kernels/reference/scales.js';
import type { Handlers } from '../../rpc/rpc.js';
import type { SparseApi } from './tasks.js';

/** Rounding around weights that are kept, in a worker. */
export function makeGwqMethods(loader: ChunkLoader): Handlers<SparseApi> {
  return {
    quantizeSparse(task) {
      const { weights: run, kept, groupColumns, format, scaleDtype, region, memoryEnd } = task;
      loader.ensureVisible(memoryEnd);
      const { at, rows, inputs } = run;
      const elements = rows * inputs;
      const weights = new Float32Array(loader.memory.buffer, at, elements);
      const stored = Float32Array.from(kept, (place) => storeScale(weights[place], 'f16').value);
      const kernels = loader.kernelsIn(region);
      const others = kernels.weights(elements);
      others.set(weights);
      hideKept(others, kept, inputs, groupColumns);
      const shape = { rows, columns: inputs };
      kernels.quantize(parseFormat(format), scaleDtype, shape, { keepOutput: true });
      weights.set(kernels.output(elements));
      kept.forEach((place, index) => (weights[place] = stored[index]));
    },
  };
}

/**
 * Puts another weight of its group in the place of each kept one, so that the group's extremes are those of the
 * others; 0 where all of them are kept.
 */
export function hideKept(
  weights: Float32Array,
  kept: Int32Array,
  inputs: number,
  groupColumns: number,
): void {
  let at = 0;
  while (at < kept.length) {
    const row = Math.floor(kept[at] / inputs);
    const group = Math.floor((kept[at] - row * inputs) / groupColumns);
    const first = row * inputs + group * groupColumns;
    const end = Math.min(first + groupColumns, (row + 1) * inputs);
    let next = at;
    while (next < kept.length && kept[next] < end) next++;
    const places = kept.subarray(at, next);
    let other = first;
    for (const place of places) if (place === other) other++;
    const value = other < end ? weights[other] : 0;
    for (const place of places) weights[place] = value;
    at = next;
  }
}
