import type { NumberFormat, ScaleDtype } from '../formats/types.js';
import type { HistogramEdges } from './statistics/bins.js';
import type { WeightMoments } from './statistics/moments.js';
import type { ElementTypeName } from '../storage/elementTypes.js';

/** Smallest and largest value of a group or a tensor. */
export interface FixedRange {
  readonly lo: number;
  readonly hi: number;
}

/** What is known about the weights of a chunk before any format is applied. */
export interface WeightSums {
  readonly elements: number;
  /** NaN and ±Inf; they are replaced by 0 in the chunk and take no part in anything else. */
  readonly nonFinite: number;
  /** Index in the chunk of the first of them, or −1. */
  readonly firstNonFinite: number;
  readonly zeros: number;
  /** Σw² over the finite weights, f64, in four lanes by index mod 4. */
  readonly sumSquares: number;
  readonly min: number;
  readonly max: number;
}

/** Sums of one chunk in one format; every backend adds in the same order, so they agree to the bit. */
export interface ErrorSums {
  /** Σ(ŵ−w)². */
  readonly squaredError: number;
  /** Σŵ². */
  readonly squaredValue: number;
  /** Σ((ŵ−w)/width)², width of the level interval that the weight falls in; to f32 precision. */
  readonly squaredStepError: number;
  /** The part of {@link squaredError} from weights that became zero (section 6.2). */
  readonly squaredUnderflow: number;
  readonly maxAbsError: number;
  /** Nonzero weights that became zero. */
  readonly underflow: number;
  /** Weights farther than half an interval beyond the outermost level. */
  readonly clipped: number;
  /** Groups with a scale that the scale dtype cannot hold to its own precision. */
  readonly badScales: number;
  /** Groups in which only one sign occurs. */
  readonly oneSigned: number;
  /** Groups whose weights do not straddle zero, or span less than 1e-5 (AWQ's quantizer fails there). */
  readonly notStraddling: number;
}

/**
 * Layout of a kernel's raw result: four sums of two lanes, then scalars. Weights are added by fours
 * within a group: lane 0 gets the sum of the first and third, lane 1 of the second and fourth.
 * Step errors are squared and summed in four lanes of f32 over at most 256 weights (those behind a
 * group's last four by themselves), which go to the two f64 lanes alike.
 */
export const RAW = Object.freeze({
  error: 0,
  value: 2,
  step: 4,
  underflowError: 6,
  maxError: 8,
  underflow: 9,
  clipped: 10,
  badScales: 11,
  oneSigned: 12,
  notStraddling: 13,
  length: 14,
});

/** Half a step and what f32 rounding may add to it: beyond this a weight counts as clipped. */
export const CLIPPED_STEP_ERROR = Math.fround(0.50001);

/** Adds up the lanes of a sum. */
export function foldLanes(raw: ArrayLike<number>, at: number): number {
  return raw[at] + raw[at + 1];
}

/** Folds a kernel's raw result into {@link ErrorSums}. */
export function errorSums(raw: ArrayLike<number>): ErrorSums {
  return {
    squaredError: foldLanes(raw, RAW.error),
    squaredValue: foldLanes(raw, RAW.value),
    squaredStepError: foldLanes(raw, RAW.step),
    squaredUnderflow: foldLanes(raw, RAW.underflowError),
    maxAbsError: raw[RAW.maxError],
    underflow: raw[RAW.underflow],
    clipped: raw[RAW.clipped],
    badScales: raw[RAW.badScales],
    oneSigned: raw[RAW.oneSigned],
    notStraddling: raw[RAW.notStraddling],
  };
}

/** How a chunk of weights lies in memory: `rows` × `columns`, row-major. */
export interface ChunkShape {
  readonly rows: number;
  readonly columns: number;
}

export interface QuantizeOptions {
  /** Keep the dequantized weights for {@link Kernels.output}. */
  readonly keepOutput?: boolean;
  /** Extremes of the whole tensor: needed by `tensor` groups and two-level scales. */
  readonly tensorRange?: FixedRange;
}

/**
 * The inner loops over one chunk, with the chunk's memory. Tables of counts that they are given lie in
 * the same memory, outside of the chunk's part. `reference` is what they mean; `wasm`
 * must agree with it bit for bit.
 */
export interface Kernels {
  readonly backend: 'wasm' | 'reference';
  /** Where to read `elements` elements of `dtype` into, before {@link decode}. */
  input(dtype: ElementTypeName, elements: number): Uint8Array;
  /** Widens what was read to f32. */
  decode(dtype: ElementTypeName, elements: number): void;
  /** The decoded weights. */
  weights(elements: number): Float32Array;
  /** Sums over the weights; replaces NaN and ±Inf by 0. */
  inspect(elements: number): WeightSums;
  /** Quantizes and dequantizes the weights, which must be finite. */
  quantize(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    options?: QuantizeOptions,
  ): ErrorSums;
  output(elements: number): Float32Array;
  /** Extremes of each group of the weights, which must be finite. */
  groupExtremes(shape: ChunkShape, groupSize: number): Extremes;
  /**
   * The same of a chunk that was read, with NaN and ±Inf left out. The weights are undefined
   * afterwards, and so is what was read.
   */
  extremesAsRead(dtype: ElementTypeName, shape: ChunkShape, groupSize: number): Extremes;
  /** Adds 1 to the count of each code that was read, of an element type of 16 bits. */
  countCodes(elements: number, counts: Uint32Array): void;
  /** Moments and extremes of the weights. Leaves them as they are. */
  moments(elements: number): WeightMoments;
  /** Adds 1 to the count of the upper half of each weight's bits. @param counts 65,536 */
  countUpper(elements: number, counts: Uint32Array): void;
  /**
   * Counts the lower halves of the bits of those weights whose upper half has a table.
   * @param slots by upper half, 1 + the index of its table or 0
   * @param counts tables of 65,536, by lower half
   */
  countLower(elements: number, slots: Uint8Array, counts: Uint32Array): void;
  /** Counts the finite weights in bins. @param counts one for each bin */
  countBins(elements: number, edges: HistogramEdges, counts: Uint32Array): void;
}

/**
 * Largest positive weight and magnitude of the most negative one of each group, 0 where none. They lie
 * in the chunk's memory and are gone with the next call.
 */
export interface Extremes {
  readonly positive: Float32Array;
  readonly negative: Float32Array;
}
