import type { Matrix, RmsNorm } from './forwardKernels.js';

/** What a norm's inputs and outputs have to do with the loss. */
export interface RmsNormBackward extends Pick<RmsNorm, 'weight' | 'weightOffset' | 'epsilon'> {
  /** The norm's inputs [rows × columns]. */
  readonly source: Matrix;
  /** Gradient of its outputs. */
  readonly gradient: Matrix;
  /** The gradient of its inputs is added to this. */
  readonly target: Matrix;
  readonly rows: number;
  readonly columns: number;
}

/** silu(gate)·up, taken back. */
export interface GatedBackward {
  /** Becomes its own gradient. */
  readonly gate: Matrix;
  /** Likewise. */
  readonly up: Matrix;
  /** Gradient of the product [rows × columns]. */
  readonly gradient: Matrix;
  readonly rows: number;
  readonly columns: number;
}

/** Scores of some queries of a window with its first keys. */
export interface CausalSoftmax {
  /** [rows × columns] q·k, become probabilities; 0 where a query does not see a key. */
  readonly scores: Matrix;
  readonly rows: number;
  /** Keys, from the window's first: at least up to the last query. */
  readonly columns: number;
  /** Position of the first query. */
  readonly first: number;
  /** Positions that a query sees, itself included; 0: all before it. */
  readonly window: number;
  /** Factor on the scores. */
  readonly scale: number;
}

export interface SoftmaxBackward {
  readonly probabilities: Matrix;
  /** Gradient of the probabilities; becomes that of the scores before {@link CausalSoftmax.scale}. */
  readonly gradient: Matrix;
  readonly rows: number;
  readonly columns: number;
  readonly scale: number;
}

/** Doubles per row that {@link BackwardKernels.logitGradient} takes, in this order. */
export const LOGIT_ROW = Object.freeze({
  /** log Σ exp of the student's logits. */
  student: 0,
  /** The same of the teacher's. */
  teacher: 1,
  /** KL(student ‖ teacher). */
  reverse: 2,
  length: 3,
});

/**
 * Logits that become the gradient of factor·Σ over rows of γ·KL(student ‖ teacher) + (1 − γ)·KL(teacher ‖ student).
 * Without a teacher: softmax(logits)·factor, which is the gradient of the log-likelihood but for the target.
 */
export interface LogitGradient {
  /** Finite [rows × columns]; become the gradient. */
  readonly student: Matrix;
  /** Finite. */
  readonly teacher?: Matrix;
  readonly rows: number;
  readonly columns: number;
  /** Address of f64 [rows × {@link LOGIT_ROW}]. */
  readonly parameters: number;
  readonly gamma: number;
  readonly factor: number;
}

/** One step of AdamW (arXiv 1711.05101) over f32 arrays of so many elements, all addresses multiples of 16. */
export interface AdamStep {
  readonly weights: number;
  readonly gradient: number;
  /** Running means of gradients and of their squares. */
  readonly first: number;
  readonly second: number;
  readonly count: number;
  readonly rate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly epsilon: number;
  readonly decay: number;
  /** 1 − β₁ᵗ and 1 − β₂ᵗ at step t, from 1. */
  readonly correction1: number;
  readonly correction2: number;
}

/**
 * The loops that take a forward pass back, beside its product: f32, sums of rows in f64. Addresses are bytes.
 * `reference/backward` is what they mean.
 */
export interface BackwardKernels {
  /** Packs the transpose of a matrix [rows × columns] as `packInputs` packs rows: [columns × rows]. */
  packTransposed(source: Matrix, rows: number, columns: number, target: number): void;
  rmsNormBackward(norm: RmsNormBackward): void;
  gatedBackward(gated: GatedBackward): void;
  causalSoftmax(softmax: CausalSoftmax): void;
  softmaxBackward(softmax: SoftmaxBackward): void;
  logitGradient(gradient: LogitGradient): void;
  adamStep(step: AdamStep): void;
}
