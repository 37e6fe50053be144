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
 * Layout of a kernel's raw result: four sums of two lanes, then scalars. A group is summed in runs of
 * at most {@link SUM_RUN} weights (those behind its last four are a run of their own). A run's sums start from 0.
 * Weights are added by fours: lane 0 gets the sum of the first and third, lane 1 of the second and
 * fourth. Step errors are squared and summed in four lanes of f32, which go to the two f64 lanes alike;
 * where all levels of a group are equally far apart, they are its squared errors over the square of
 * that distance instead.
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

/** Weights that are summed from 0 before their sums join those of the chunk. */
export const SUM_RUN = 256;

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
export function foldErrorSums(raw: ArrayLike<number>): ErrorSums {
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
 * A chunk in a format, in the parts that a file holds: before packing, except GGUF's blocks. Groups are
 * counted along each row and then row by row; `blocks` groups along the flattened chunk. A `tensor`
 * group has an entry for each row of the chunk (the same in all rows, given the tensor's range and no
 * search). `decodeChunk` of the reference gives the dequantized weights back, to the bit.
 */
export interface EncodedChunk {
  /**
   * One per weight, [rows × columns], row-major; none for GGUF. What a code stands for:
   * - integers: scale·(code − zero point), codes 0 … 2^bits − 1. The signed codes of `absmax` are
   *   offset by 2^(bits−1), which is their zero point here.
   * - dINT: the same up to 2^bits − 3; 2^bits − 2 is +special·scale and 2^bits − 1 is −special·scale.
   * - grids of all values of a small float: sign, exponent and fraction bits, as in F4_E2M1 or F8_E4M3.
   *   MXINT8 alike: a sign and the magnitude in 64ths (a file has two's complement, and no −0).
   * - other grids: place of the level among the grid's levels, ascending.
   * - casts: the bits of F16 or BF16 (16-bit array) or F32 (32-bit array).
   */
  readonly codes: Uint8Array | Uint16Array | Uint32Array;
  /**
   * One per group, [groups], rounded to the scale's storage type; none for casts and GGUF.
   * MX: 2^e, which E8M0 stores as the byte e + 127. AMXFP4: the E5M2 value. NVFP4: the E4M3 value, which the scale of the
   * tensor multiplies. bitsandbytes: absmax in F32.
   */
  readonly scales: Float32Array;
  /** Scales of the weights < 0, [groups], where these have their own (AFPQ, AMXFP4). */
  readonly negativeScales?: Float32Array;
  /** [groups], whole numbers; for integers and dINT, also where the convention fixes them. */
  readonly zeroPoints?: Float32Array;
  /** NVFP4's scale of the whole tensor, an f32. */
  readonly tensorScale?: number;
  /** [groups], which of its format's grids each block has, where they choose one (IF4, RaZeR). */
  readonly grids?: Uint8Array;
  /** GGUF: the blocks as stored, row by row; the last of a row is filled up with zero weights. */
  readonly packedBlocks?: Uint8Array;
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
  /**
   * Quantizes the weights, which must be finite, to what a file holds. Uses the memory of
   * {@link output}; the result is a copy.
   * @throws where a two-level scale lacks the range of the tensor
   */
  encode(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    options?: Pick<QuantizeOptions, 'tensorRange'>,
  ): EncodedChunk;
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
