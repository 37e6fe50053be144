import type { ChunkLoader } from '../../compute/chunkLoader.js';
import type { CalibrationKernels } from '../../kernels/calibrationKernels.js';
import type { Handlers } from '../../rpc/rpc.js';
import { makeSeeing } from '../seeing.js';
import { RowsToEncode } from './encodeRows.js';
import type {
  AssignTask,
  ColumnRanges,
  ColumnRangesTask,
  CopiedRowsTask,
  GatherTask,
  VptqApi,
} from './tasks.js';

const { fround } = Math;

/** Vector quantization's tasks in a worker. */
export function makeVptqMethods(
  loader: ChunkLoader,
  kernels: CalibrationKernels,
): Handlers<VptqApi> {
  const { memory } = loader;
  const seeing = makeSeeing(loader);
  const floats = () => new Float32Array(memory.buffer);
  return {
    columnRanges: seeing((task) => findRanges(floats(), task)),
    copyRows: seeing((task) => copyRows(floats(), task)),
    restoreCopiedRows: seeing((task) => restoreRows(floats(), task)),
    gatherVectors: seeing((task) => gatherVectors(floats(), task)),
    assignVectors: seeing((task) => assignVectors(memory, kernels, task)),
    measureLoss: seeing((task) => new RowsToEncode(memory, kernels, task).measure(task.lost)),
    encodeRows: seeing((task) => new RowsToEncode(memory, kernels, task).encode(task)),
  };
}

/** A weight, or 0 where it is no finite number. */
function finite(weight: number): number {
  return Number.isFinite(weight) ? weight : 0;
}

function findRanges(
  floats: Float32Array,
  { weights, rows, inputs }: ColumnRangesTask,
): ColumnRanges {
  const min = new Float32Array(inputs).fill(Infinity);
  const max = new Float32Array(inputs).fill(-Infinity);
  for (let row = rows.first; row < rows.end; row++) {
    const at = weights.at / 4 + row * weights.stride;
    for (let i = 0; i < inputs; i++) {
      const weight = finite(floats[at + i]);
      if (weight < min[i]) min[i] = weight;
      if (weight > max[i]) max[i] = weight;
    }
  }
  return { min, max };
}

function copyRows(floats: Float32Array, task: CopiedRowsTask): void {
  const { weights, copy, outputs, inputs, order, norms, dead, rows } = task;
  for (let row = rows.first; row < rows.end; row++) {
    const to = copy.at / 4 + row * copy.stride;
    if (row >= outputs) {
      floats.fill(0, to, to + inputs);
      continue;
    }
    const from = weights.at / 4 + row * weights.stride;
    for (let k = 0; k < inputs; k++) {
      const weight = finite(floats[from + (order ? order[k] : k)]);
      // Where all weights of an input are the same, the scale is 0.
      floats[to + k] = norms ? fround(weight - norms.biases[k]) / (norms.scales[k] || 1) : weight;
    }
    for (const k of dead) floats[to + k] = 0;
  }
}

function restoreRows(floats: Float32Array, task: CopiedRowsTask): void {
  const { weights, copy, outputs, inputs, order, norms, rows } = task;
  for (let row = rows.first; row < Math.min(rows.end, outputs); row++) {
    const from = copy.at / 4 + row * copy.stride;
    const to = weights.at / 4 + row * weights.stride;
    for (let k = 0; k < inputs; k++) {
      const value = floats[from + k];
      floats[to + (order ? order[k] : k)] = norms
        ? fround(value * norms.scales[k]) + norms.biases[k]
        : value;
    }
  }
}

function gatherVectors(
  floats: Float32Array,
  { matrix, columns, length, places }: GatherTask,
): Float32Array {
  const width = columns.end - columns.first;
  const vectors = new Float32Array(places.length * length);
  places.forEach((place, i) => {
    const row = Math.floor(place / width) * length;
    const at = matrix.at / 4 + row * matrix.stride + columns.first + (place % width);
    for (let u = 0; u < length; u++) vectors[i * length + u] = floats[at + u * matrix.stride];
  });
  return vectors;
}

function assignVectors(
  memory: WebAssembly.Memory,
  kernels: CalibrationKernels,
  task: AssignTask,
): Float64Array {
  const { matrix, columns, length, vectors, codebook, centroids, weights, region } = task;
  const floats = new Float32Array(memory.buffer);
  const count = columns.end - columns.first;
  const places = new Int32Array(memory.buffer, region.start, count);
  const sums = new Float64Array(centroids * (length + 1) + 1);
  let cost = 0;
  for (let vector = vectors.first; vector < vectors.end; vector++) {
    const at = matrix.at + (vector * length * matrix.stride + columns.first) * 4;
    kernels.findNearest({
      vectors: { at, stride: matrix.stride },
      ...{ count, length, codebook, centroids },
      target: region.start,
    });
    for (let i = 0; i < count; i++) {
      const place = places[i];
      const weight = weights[i];
      const to = place * (length + 1);
      let distance = 0;
      for (let u = 0; u < length; u++) {
        const component = floats[at / 4 + u * matrix.stride + i];
        sums[to + u] += weight * component;
        distance += (component - floats[codebook / 4 + place * length + u]) ** 2;
      }
      sums[to + length] += weight;
      cost += weight * distance;
    }
  }
  sums[centroids * (length + 1)] = cost;
  return sums;
}
