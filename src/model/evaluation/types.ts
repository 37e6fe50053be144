import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import type { ModelPlan } from '../config/plan.js';

/** An opened model whose config.json names an architecture that can be run. */
export interface LanguageModel {
  readonly opened: OpenedModel;
  readonly plan: ModelPlan;
}

/** A change to a model: these tensors stand in these formats, all others as they are. */
export interface Variant {
  /** Unique among the variants of an evaluation, stable between runs: names it in caches. */
  readonly id: string;
  readonly formats: ReadonlyMap<string, NumberFormat>;
}

/** What scoring one window came to. Every position but the last has a target: the next token. */
export interface WindowScore {
  readonly targets: number;
  /** Σ −log p(target), nats. */
  readonly nll: number;
  /** Σ KL(unquantized ‖ this) over the scored positions, nats; 0 for the unquantized model. */
  readonly divergence: number;
  /** Scored positions whose most probable token is that of the unquantized model. */
  readonly agreements: number;
}

/** Scores kept between evaluations, by variant and window; the unquantized model is `baseline`. */
export interface ScoreStore {
  get(variant: string, window: number): WindowScore | undefined;
  /** Resolves when the score would survive a crash. */
  put(scores: readonly { variant: string; window: number; score: WindowScore }[]): Promise<void>;
}

export const BASELINE = 'baseline';

export interface EvaluationSettings {
  readonly scaleDtype: ScaleDtype;
  /** Bytes for the hidden states in flight. */
  readonly memoryBudgetBytes: number;
  readonly store?: ScoreStore;
  /**
   * Receives logits window by window, f32 [positions × vocabulary]: of the variant where there is
   * one, of the unquantized model otherwise.
   */
  readonly onLogits?: (window: number, logits: Float32Array) => Promise<void>;
  /** Receives the unquantized model's hidden states after each block, f32 [positions × hidden size]. */
  readonly onHidden?: (window: number, block: number, hidden: Float32Array) => void;
}

export interface EvaluationResult {
  /** One per window. */
  readonly baseline: readonly WindowScore[];
  /** One list per variant, in the order asked for. */
  readonly variants: readonly (readonly WindowScore[])[];
  /** Weights of the model that are NaN or ±Inf and counted as 0. */
  readonly nonFinite: number;
  readonly forwardSeconds: number;
}
