/** How a feed-forward network bends its values. `gelu` is the exact (erf) form, `gelu-tanh` its approximation. */
export type Activation = 'silu' | 'gelu' | 'gelu-tanh' | 'relu';

/** A matrix of f32 in the shared memory, row-major: byte address of its first element and floats between rows. */
export interface Matrix {
  readonly at: number;
  readonly stride: number;
}

/** Rows of weights that share one packed panel. */
export const PANEL_ROWS = 8;

/** Bytes of packed weights: panels of {@link PANEL_ROWS} outputs, the last one padded with zeros. */
export function packedWeightBytes(outputs: number, inputs: number): number {
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
  length: 8,
});

/**
 * The loops of a forward pass over one shared memory. Addresses are bytes, 16-byte aligned where a
 * matrix starts; counts are elements. `reference` adds in f64 and is what they mean; `wasm` agrees
 * within f32 rounding.
 */
export interface ForwardKernels {
  /** Packs a matrix [outputs × inputs] as panels [⌈outputs/8⌉][inputs][8]. */
  packRows(source: Matrix, outputs: number, inputs: number, target: number): void;
  /** Packs the transpose of a matrix [inputs × outputs] as panels [⌈outputs/8⌉][inputs][8]. */
  packColumns(source: Matrix, outputs: number, inputs: number, target: number): void;
  /** Bytes that {@link packInputs} fills for this many rows. */
  packedInputBytes(rows: number, inputs: number): number;
  /** Packs rows [rows × inputs] as {@link multiply} reads them. */
  packInputs(source: Matrix, rows: number, inputs: number, target: number): void;
  /**
   * output[m, n] = Σₖ x[m, k]·w[n, k] + bias[n], or added to what is there.
   * @param bias address of f32 [outputs], 0: none
   */
  multiply(
    packedInputs: number,
    packedWeights: number,
    bias: number,
    output: Matrix,
    rows: number,
    outputs: number,
    inputs: number,
    add: boolean,
  ): void;
  /** x / √(mean(x²) + epsilon) · (weight + offset) per row; `target` may be `source`. */
  rmsNorm(
    source: Matrix,
    rows: number,
    columns: number,
    weight: number,
    offset: number,
    epsilon: number,
    target: Matrix,
  ): void;
  /** (x − mean) / √(variance + epsilon) · weight + bias per row; weight and bias may be 0 (none). */
  layerNorm(
    source: Matrix,
    rows: number,
    columns: number,
    weight: number,
    bias: number,
    epsilon: number,
    target: Matrix,
  ): void;
  /**
   * Rotates element i with element i + dims/2 of each head, for i < dims/2.
   * @param heads heads per row, `headStride` floats apart
   * @param cos, sin tables f32 [rows × dims/2], one row per row of `values`
   */
  rotate(
    values: Matrix,
    rows: number,
    heads: number,
    headStride: number,
    dims: number,
    cos: number,
    sin: number,
  ): void;
  /** Bytes of scratch that {@link attend} needs. */
  attentionScratchBytes(shape: AttentionShape): number;
  /**
   * Causal attention of one head over one window: softmax(scale·q·kᵀ)·v.
   * @param queries [rows × headSize]; may be `output`
   * @param packedKeys keys [rows × headSize] by {@link packRows} (outputs = rows, inputs = headSize)
   * @param packedValues values [rows × headSize] by {@link packColumns} (outputs = headSize, inputs = rows)
   */
  attend(
    queries: Matrix,
    packedKeys: number,
    packedValues: number,
    shape: AttentionShape,
    output: Matrix,
    scratch: number,
  ): void;
  /** target = activation(gate)·up, or activation(gate) where `up` is absent; `target` may be `gate`. */
  activate(
    activation: Activation,
    gate: Matrix,
    up: Matrix | undefined,
    rows: number,
    columns: number,
    target: Matrix,
  ): void;
  /** target += source. */
  add(source: Matrix, rows: number, columns: number, target: Matrix): void;
  /** values = cap·tanh(values/cap). */
  softCap(values: Matrix, rows: number, columns: number, cap: number): void;
  /**
   * Takes a tile of logits into the running sums of its rows ({@link SCORE}, f64 [rows × 8]).
   * A fresh row has max −Infinity and sum 0.
   * @param firstToken token of the tile's first column
   * @param targets address of i32 [rows]; −1: none
   */
  score(
    logits: Matrix,
    rows: number,
    columns: number,
    firstToken: number,
    targets: number,
    sums: number,
  ): void;
  /**
   * Takes the same tile of the base model and of another into the other's divergence sums.
   * @param baseSums sums of the base model, this tile included
   */
  diverge(
    base: Matrix,
    logits: Matrix,
    rows: number,
    columns: number,
    baseSums: number,
    sums: number,
  ): void;
}
