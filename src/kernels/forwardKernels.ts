import type { Minifloat } from '../formats/types.js';

/**
 * The activation function of a feed-forward network. `gelu` is the exact (erf) form, `gelu-tanh` and
 * `quick-gelu` (x·sigmoid(1.702x)) are its approximations, `gelu-10` ends at ±10; `relu2` is relu(x)².
 */
export type Activation =
  'silu' | 'gelu' | 'gelu-tanh' | 'gelu-10' | 'quick-gelu' | 'relu' | 'relu2';

/** A matrix of f32 in the shared memory, row-major: byte address of its first element and floats between rows. */
export interface Matrix {
  readonly at: number;
  readonly stride: number;
}

/** Rows of weights that share one packed panel. */
export const PANEL_ROWS = 8;

/** Bytes of packed weights: panels of {@link PANEL_ROWS} outputs, the last one padded with zeros. */
export function countPackedWeightBytes(outputs: number, inputs: number): number {
  return Math.ceil(outputs / PANEL_ROWS) * PANEL_ROWS * inputs * 4;
}

/** What a head's attention needs beside its queries; keys and values are packed. */
export interface AttentionShape {
  /** Positions of the window. */
  readonly rows: number;
  readonly headSize: number;
  /** Factor on q·k. */
  readonly scale: number;
  /** Positions that one sees, itself included; 0: all before it. */
  readonly window: number;
  /** Scores s become cap·tanh(s/cap) after scaling; 0: no cap. */
  readonly softCap: number;
}

/** A product of packed inputs and packed weights: output[m, n] = Σₖ x[m, k]·w[n, k] + bias[n]. */
export interface Product {
  /** Address of x [rows × inputs], packed by {@link ForwardKernels.packInputs}. */
  readonly packedInputs: number;
  /** Address of w [outputs × inputs], packed by {@link ForwardKernels.packRows}. */
  readonly packedWeights: number;
  /** Address of f32 [outputs], 0: none. */
  readonly bias: number;
  readonly output: Matrix;
  readonly rows: number;
  readonly outputs: number;
  readonly inputs: number;
  /** Add to the output instead of writing it. */
  readonly accumulate: boolean;
}

/** A norm over rows: what all kinds have in common. */
interface RowNorm {
  readonly source: Matrix;
  /** May be the source. */
  readonly target: Matrix;
  readonly rows: number;
  readonly columns: number;
  readonly epsilon: number;
}

/** x / √(mean(x²) + epsilon) · (weight + weightOffset) per row. */
export interface RmsNorm extends RowNorm {
  /** Address of f32 [columns]. */
  readonly weight: number;
  readonly weightOffset: number;
}

/** (x − mean) / √(variance + epsilon) · weight + bias per row. */
export interface LayerNorm extends RowNorm {
  /** Address of f32 [columns], 0: none. */
  readonly weight: number;
  /** Address of f32 [columns], 0: none. */
  readonly bias: number;
}

/**
 * A rotation, in place, of element i with element i + dims/2 of each head, for i < dims/2; interleaved:
 * of element 2i with element 2i + 1.
 */
export interface Rotation {
  readonly interleaved: boolean;
  /** First element of the first head. */
  readonly values: Matrix;
  readonly rows: number;
  /** Heads per row. */
  readonly heads: number;
  /** Floats from one head to the next. */
  readonly headStride: number;
  readonly dims: number;
  /** Address of f32 [rows × dims/2]: one row per row of the values. */
  readonly cos: number;
  /** The same. */
  readonly sin: number;
}

/** Causal attention of one head over one window: softmax(scale·q·kᵀ)·v. */
export interface HeadAttention {
  readonly shape: AttentionShape;
  /** [rows × headSize]. */
  readonly queries: Matrix;
  /** Address of keys [rows × headSize], by {@link ForwardKernels.packRows} (outputs = rows, inputs = headSize). */
  readonly packedKeys: number;
  /** Address of values [rows × headSize], by {@link ForwardKernels.packColumns} (outputs = headSize, inputs = rows). */
  readonly packedValues: number;
  /** [rows × headSize]; may be the queries. */
  readonly output: Matrix;
  /** Address of {@link ForwardKernels.attentionScratchBytes} bytes. */
  readonly scratch: number;
}

/** target = activation(gate)·up, or activation(gate) where `up` is absent. */
export interface GatedActivation {
  readonly activation: Activation;
  readonly gate: Matrix;
  readonly up?: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** May be the gate. */
  readonly target: Matrix;
}

/**
 * Rows rounded to levels times a scale: what becomes of a linear map's inputs in a number format for
 * activations. x → level(x / scale)·scale, each step rounded to f32.
 */
export interface RowRounding {
  readonly source: Matrix;
  /** May be the source. */
  readonly target: Matrix;
  readonly rows: number;
  readonly columns: number;
  readonly levels: Minifloat;
  /**
   * Of all rows; what lies beyond the levels is clamped. Absent: each row has its own, that of its largest
   * magnitude, see {@link scaleOfRange}; a row with a value that is not finite becomes NaN throughout.
   * Where it is 0, rows become 0.
   */
  readonly scale?: number;
  /** Address of f32 [columns], 0: none. Of all rows, in place of one scale: each column has its own. Threads only. */
  readonly channelScales?: number;
}

/** The f32 scale that puts a largest magnitude onto the largest level. */
export function scaleOfRange(range: number, { largest }: Minifloat): number {
  return Math.fround(Math.fround(range) / largest);
}

/** Logits of some tokens that follow one another in the vocabulary, for some rows. */
export interface LogitTile {
  readonly logits: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** Token of the first column. */
  readonly firstToken: number;
  /** Address of the target tokens, i32 [rows]; −1: none. */
  readonly targets: number;
  /** Address of running sums, f64 [rows × 8]: see {@link SCORE}. */
  readonly sums: number;
}

/** The same tile of logits of the base model and of another. */
export interface DivergenceTile {
  readonly base: Matrix;
  readonly logits: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** Address of the base model's running sums, this tile included. */
  readonly baseSums: number;
  /** Address of the other's, this tile included. */
  readonly sums: number;
}

/** Running sums of one row of logits, f64 each, in this order. */
export const SCORE = Object.freeze({
  /** Largest logit so far. */
  max: 0,
  /** Σ exp(logit − max). */
  sum: 1,
  /** Logit of the target token; stays as it was where the target is not in the tile. */
  target: 2,
  /** Token of the largest logit, the lowest where several are equal. */
  top: 3,
  /** The base model's max that {@link SCORE.divergence} refers to. */
  divergenceMax: 4,
  /** Σ exp(base − divergenceMax)·(base − logit). */
  divergence: 5,
  /** This model's max that {@link SCORE.reverse} refers to. */
  reverseMax: 6,
  /** Σ exp(logit − reverseMax)·(logit − base). */
  reverse: 7,
  length: 8,
});

/**
 * The loops of a forward pass over one memory. Addresses are bytes, 16-byte aligned where a matrix starts;
 * counts are elements. `reference` adds in f64 and is what they mean; others agree within f32 rounding.
 */
export interface LayerKernels {
  /** Bytes that {@link packInputs} fills for this many rows. */
  packedInputBytes(rows: number, inputs: number): number;
  /** Packs rows [rows × inputs] as {@link multiply} reads them. */
  packInputs(source: Matrix, rows: number, inputs: number, target: number): void;
  multiply(product: Product): void;
  rmsNorm(norm: RmsNorm): void;
  layerNorm(norm: LayerNorm): void;
  rotate(rotation: Rotation): void;
  activate(activation: GatedActivation): void;
  /** Agrees with `reference` to the bit on threads. */
  roundRows(rounding: RowRounding): void;
  /** target += source. */
  add(source: Matrix, rows: number, columns: number, target: Matrix): void;
  /** values = cap·tanh(values/cap). */
  softCap(values: Matrix, rows: number, columns: number, cap: number): void;
  /** Takes a tile into the running sums of its rows. A fresh row has max −Infinity and sum 0. */
  score(tile: LogitTile): void;
  /** Takes a tile into the other model's sums of both divergences. */
  diverge(tile: DivergenceTile): void;
}

/** The same, with the packing of weights and the attention of one head: what threads do step by step. */
export interface ForwardKernels extends LayerKernels {
  /** Packs a matrix [outputs × inputs] as panels [⌈outputs/8⌉][inputs][8]. */
  packRows(source: Matrix, outputs: number, inputs: number, target: number): void;
  /** Packs the transpose of a matrix [inputs × outputs] as panels [⌈outputs/8⌉][inputs][8]. */
  packColumns(source: Matrix, outputs: number, inputs: number, target: number): void;
  /** Bytes of scratch that {@link attend} needs. */
  attentionScratchBytes(shape: AttentionShape): number;
  attend(attention: HeadAttention): void;
}
