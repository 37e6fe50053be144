import type { NumberFormat, ScaleDtype } from '../formats/types.js';
import type { SafetensorsDtype } from '../safetensors/types.js';

/** Range that a group covers when it was found in an earlier pass (`tensor` groups). */
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

/**
 * Sums of one chunk in one format; every backend adds in the same order, so they agree to the bit.
 * Lane = index within the group mod 4; the lanes are added up as (0+2)+(1+3) at the end of the chunk.
 */
export interface ErrorSums {
  /** Σ(ŵ−w)². */
  readonly squaredError: number;
  /** Σŵ². */
  readonly squaredValue: number;
  /** Σ((ŵ−w)/width)², width of the level interval that the weight falls in. */
  readonly squaredStepError: number;
  readonly maxAbsError: number;
  /** Nonzero weights that became zero. */
  readonly underflow: number;
  /** Weights whose nearest code would lie outside the format's range. */
  readonly clipped: number;
  /** Groups with a scale that the scale dtype cannot hold to its own precision. */
  readonly badScales: number;
  /** Groups in which only one sign occurs (with any weight at all). */
  readonly oneSigned: number;
}

/** Number of f64 in the raw result of a quantize kernel; see `errorSums`. */
export const RAW_ERROR_SUMS = 18;

/** Folds a kernel's raw result (12 lanes, then six scalars) into {@link ErrorSums}. */
export function errorSums(raw: ArrayLike<number>): ErrorSums {
  const lanes = (at: number) => raw[at] + raw[at + 2] + (raw[at + 1] + raw[at + 3]);
  return {
    squaredError: lanes(0),
    squaredValue: lanes(4),
    squaredStepError: lanes(8),
    maxAbsError: raw[12],
    underflow: raw[13],
    clipped: raw[14],
    badScales: raw[15],
    oneSigned: raw[16],
  };
}

/** How a chunk of weights lies in memory: `rows` × `columns`, row-major. */
export interface ChunkShape {
  readonly rows: number;
  readonly columns: number;
}

/**
 * The inner loops over one chunk, with the chunk's memory. `reference` is what they mean; `wasm`
 * must agree with it bit for bit.
 */
export interface Kernels {
  readonly backend: 'wasm' | 'reference';
  /** Where to read `elements` elements of `dtype` into, before {@link decode}. */
  input(dtype: SafetensorsDtype, elements: number): Uint8Array;
  /** Widens what was read to f32. */
  decode(dtype: SafetensorsDtype, elements: number): void;
  /** The decoded weights. */
  weights(elements: number): Float32Array;
  /** Sums over the weights; replaces NaN and ±Inf by 0. */
  inspect(elements: number): WeightSums;
  /** Quantizes and dequantizes the weights; the result is in {@link output} when kept. */
  quantize(
    format: NumberFormat,
    scaleDtype: ScaleDtype,
    shape: ChunkShape,
    options?: { readonly keepOutput?: boolean; readonly fixedRange?: FixedRange },
  ): ErrorSums;
  output(elements: number): Float32Array;
  /** Largest positive weight and magnitude of the most negative one of each group, 0 where none. */
  groupExtremes(
    shape: ChunkShape,
    groupSize: number,
  ): { readonly positive: Float32Array; readonly negative: Float32Array };
}
