import type { NumberFormat, ScaleDtype } from '../formats/types.js';
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

/** Where a sum lies in a raw result, and how those of two chunks become one. */
interface SumLayout {
  readonly at: number;
  readonly lanes: 1 | 2;
  readonly merge: 'add' | 'max';
}

/** Every sum of {@link ErrorSums}: what folds raw results and what merges chunks goes through these. */
export const ERROR_SUMS: { readonly [Sum in keyof ErrorSums]: SumLayout } = Object.freeze({
  squaredError: { at: RAW.error, lanes: 2, merge: 'add' },
  squaredValue: { at: RAW.value, lanes: 2, merge: 'add' },
  squaredStepError: { at: RAW.step, lanes: 2, merge: 'add' },
  squaredUnderflow: { at: RAW.underflowError, lanes: 2, merge: 'add' },
  maxAbsError: { at: RAW.maxError, lanes: 1, merge: 'max' },
  underflow: { at: RAW.underflow, lanes: 1, merge: 'add' },
  clipped: { at: RAW.clipped, lanes: 1, merge: 'add' },
  badScales: { at: RAW.badScales, lanes: 1, merge: 'add' },
  oneSigned: { at: RAW.oneSigned, lanes: 1, merge: 'add' },
  notStraddling: { at: RAW.notStraddling, lanes: 1, merge: 'add' },
});

const SUM_NAMES = Object.keys(ERROR_SUMS) as (keyof ErrorSums)[];

/** An {@link ErrorSums} of what a function gives for each sum. */
export function mapSums(value: (sum: keyof ErrorSums) => number): ErrorSums {
  const sums = SUM_NAMES.map((sum) => [sum, value(sum)]);
  return Object.fromEntries(sums) as Record<keyof ErrorSums, number>;
}

/** Folds a kernel's raw result into {@link ErrorSums}. */
export function errorSums(raw: ArrayLike<number>): ErrorSums {
  return mapSums((sum) => {
    const { at, lanes } = ERROR_SUMS[sum];
    return lanes === 2 ? foldLanes(raw, at) : raw[at];
  });
}

/** The sums of two chunks in one; the order of additions matters to the last bit. */
export function mergeErrorSums(one: ErrorSums, other: ErrorSums): ErrorSums {
  return mapSums((sum) =>
    ERROR_SUMS[sum].merge === 'max' ? Math.max(one[sum], other[sum]) : one[sum] + other[sum],
  );
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
 * The inner loops over one chunk, with the chunk's memory. `reference` is what they mean; `wasm`
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
  /** Largest positive weight and magnitude of the most negative one of each group, 0 where none. */
  groupExtremes(
    shape: ChunkShape,
    groupSize: number,
  ): { readonly positive: Float32Array; readonly negative: Float32Array };
}
