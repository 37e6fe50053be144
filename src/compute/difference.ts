import type { ErrorSums, WeightSums } from '../kernels/types.js';
import type { Handlers } from '../rpc/rpc.js';
import type { ChunkLoader } from './chunkLoader.js';
import type { ChunkRef, ChunkTask } from './tasks.js';
import { transpose } from './transpose.js';

/** Two chunks of the same rows and columns. */
export interface DifferenceTask extends ChunkTask {
  /** What stands in the place of the chunk's weights. */
  readonly other: ChunkRef;
}

/** How other weights differ from those in whose place they stand. */
export interface Difference {
  /** Of the weights; where either is NaN or ±Inf, both are left out. */
  readonly weights: WeightSums;
  readonly errors: ErrorSums;
  /** Of the places left out, those where only the other weights are NaN or ±Inf. */
  readonly otherNonFinite: number;
}

/** What a compute worker finds out of two checkpoints. */
export interface DifferenceApi {
  difference(task: DifferenceTask): Promise<Difference>;
}

export function makeDifferenceMethods(loader: ChunkLoader): Handlers<DifferenceApi> {
  let kept = new Float32Array(0);
  return {
    async difference({ chunk, other, region }) {
      const elements = chunk.rows * chunk.columns;
      const others = await decodeRows(loader, { chunk: other, region });
      if (kept.length < elements) kept = new Float32Array(elements);
      kept.set(others);
      const weights = await decodeRows(loader, { chunk, region });
      return sumDifference(weights, kept.subarray(0, elements));
    },
  };
}

/** A chunk's weights as f32, rows of outputs after each other whichever way round they are stored. */
async function decodeRows(loader: ChunkLoader, task: ChunkTask): Promise<Float32Array> {
  const { rows, columns, storedStride } = task.chunk;
  const kernels = await loader.decode(task);
  const stored = kernels.weights(rows * columns);
  if (storedStride === undefined) return stored;
  const turned = kernels.output(rows * columns);
  transpose(stored, turned, columns, rows);
  return turned;
}

/**
 * Sums over pairs of weights, one after the other in f64. Of other weights it is not known what levels they could have
 * had: what is measured in steps, and what counts as clipped, is NaN.
 */
export function sumDifference(weights: Float32Array, others: Float32Array): Difference {
  let nonFinite = 0;
  let otherNonFinite = 0;
  let firstNonFinite = -1;
  let zeros = 0;
  let sumSquares = 0;
  let min = Infinity;
  let max = -Infinity;
  let squaredError = 0;
  let squaredValue = 0;
  let squaredUnderflow = 0;
  let maxAbsError = 0;
  let underflow = 0;
  for (let i = 0; i < weights.length; i++) {
    const weight = weights[i];
    const other = others[i];
    const error = other - weight;
    // In f64 the difference of two finite f32 is finite: this is NaN where one of them is not.
    if (error - error !== 0) {
      if (Number.isFinite(weight)) otherNonFinite++;
      if (firstNonFinite < 0) firstNonFinite = i;
      nonFinite++;
      continue;
    }
    const square = error * error;
    squaredError += square;
    squaredValue += other * other;
    sumSquares += weight * weight;
    const size = Math.abs(error);
    if (size > maxAbsError) maxAbsError = size;
    if (weight < min) min = weight;
    if (weight > max) max = weight;
    if (weight === 0) zeros++;
    else if (other === 0) {
      underflow++;
      squaredUnderflow += square;
    }
  }
  const elements = weights.length;
  return {
    weights: { elements, nonFinite, firstNonFinite, zeros, sumSquares, min, max },
    errors: {
      squaredError,
      squaredValue,
      squaredStepError: NaN,
      squaredUnderflow,
      maxAbsError,
      underflow,
      clipped: NaN,
      badScales: 0,
      oneSigned: 0,
      notStraddling: 0,
    },
    otherNonFinite,
  };
}
