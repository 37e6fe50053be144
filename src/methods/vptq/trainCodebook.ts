import type { TaskMachine } from '../../compute/taskMachine.js';
import { roundToF16 } from '../../formats/float32.js';
import type { Run } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { VptqApi } from './tasks.js';

/** Tasks of an iteration: so many whatever the number of threads, so that sums do not depend on it. */
const TASKS = 16;
const LARGEST_F16 = 65504;

/** The f16 nearest to a number; beyond the largest, that. */
export function storedF16(value: number): number {
  return roundToF16(Math.min(Math.max(value, -LARGEST_F16), LARGEST_F16));
}

/** Vectors that a codebook is for. */
export interface VectorSet {
  /** f32 [vectors · length × …]. */
  readonly matrix: Matrix;
  readonly columns: Run;
  readonly length: number;
  /** Rows of vectors. */
  readonly vectors: number;
  /** f64, of each column. */
  readonly weights: Float64Array;
}

export interface Training {
  /** f32 [centroids × length]. */
  readonly first: Float32Array;
  /** Address where the codebook lies meanwhile, and afterwards. */
  readonly codebook: number;
  readonly iterations: number;
  /** Ends when the cost falls by no more than this share. */
  readonly tolerance: number;
}

/**
 * Weighted k-means (Lloyd): vectors go to the nearest centroid, centroids to the weighted mean of their vectors.
 * A centroid without vectors stays where it is.
 * @returns the centroids as f32, not yet rounded to what is stored
 */
export async function trainCodebook(
  machine: TaskMachine,
  { vectors, ...set }: VectorSet,
  { first, codebook, iterations, tolerance }: Training,
  { signal }: CallOptions,
): Promise<Float32Array> {
  const { length, columns } = set;
  const centroids = first.length / length;
  const book = first.slice();
  const rows = Math.ceil(vectors / TASKS);
  const tasks = Array.from({ length: Math.ceil(vectors / rows) }, (_, i) => ({
    ...{ ...set, codebook, centroids },
    vectors: { first: i * rows, end: Math.min((i + 1) * rows, vectors) },
    scratchBytes: (columns.end - columns.first) * 4,
  }));
  let before = Infinity;
  for (let iteration = 0; iteration < iterations; iteration++) {
    machine.write(codebook, book);
    const sums = new Float64Array(centroids * (length + 1) + 1);
    const add = (part: Float64Array) => {
      for (let i = 0; i < sums.length; i++) sums[i] += part[i];
    };
    await machine.tasks<VptqApi>().run('assignVectors', tasks, add, signal);
    for (let centroid = 0; centroid < centroids; centroid++) {
      const at = centroid * (length + 1);
      const weight = sums[at + length];
      if (!(weight > 0)) continue;
      for (let u = 0; u < length; u++) book[centroid * length + u] = sums[at + u] / weight;
    }
    const cost = sums[sums.length - 1];
    if (cost >= before * (1 - tolerance)) break;
    before = cost;
  }
  return book;
}

/** Places of the first centroids: different vectors, as many as there are, by a generator with a seed. */
export function drawPlaces(count: number, of: number, seed: number): Int32Array {
  const random = makeRandom(seed);
  // The start of a shuffled list of all; only what was moved is kept.
  const moved = new Map<number, number>();
  return Int32Array.from({ length: Math.min(count, of) }, (_, i) => {
    const other = i + Math.floor(random() * (of - i));
    const drawn = moved.get(other) ?? other;
    moved.set(other, moved.get(i) ?? i);
    return drawn;
  });
}

/** Uniform numbers in [0, 1): SplitMix, 32 bits. */
function makeRandom(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x9e3779b9) | 0;
    let mixed = Math.imul(state ^ (state >>> 16), 0x21f0aaad);
    mixed = Math.imul(mixed ^ (mixed >>> 15), 0x735a2d97);
    return ((mixed ^ (mixed >>> 15)) >>> 0) / 2 ** 32;
  };
}

/** Vectors of a set, drawn as first centroids: f32 [centroids × length]; 0 where there are too few. */
export async function drawCentroids(
  machine: TaskMachine,
  { matrix, columns, length, vectors }: VectorSet,
  centroids: number,
  seed: number,
  { signal }: CallOptions,
): Promise<Float32Array> {
  const places = drawPlaces(centroids, vectors * (columns.end - columns.first), seed);
  const task = { matrix, columns, length, places, scratchBytes: 0 };
  const drawn = new Float32Array(centroids * length);
  const keep = (values: Float32Array) => drawn.set(values);
  await machine.tasks<VptqApi>().run('gatherVectors', [task], keep, signal);
  return drawn;
}
