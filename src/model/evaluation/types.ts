import type { ActivationFormat, FixedRounding } from '../../formats/activations.js';
import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import type { TaskMachine } from '../../compute/taskMachine.js';
import type { ModelPlan } from '../config/plan.js';
import type { WeightNoise } from '../forward/weightNoise.js';
import type { InputObserver } from './inputObserver.js';

/** An opened model whose config.json names an architecture that can be run. */
export interface LanguageModel {
  readonly opened: OpenedModel;
  readonly plan: ModelPlan;
}

/**
 * What a variant has in the place of a stored tensor: other values, given or stored elsewhere, noise on them, a
 * number format, or several of these (the values with the noise, rounded to the format).
 */
export interface TensorChange {
  /**
   * Finite f32 in logical order, whichever way round the tensor is stored: [outputs × inputs] of a
   * linear weight, [rows × columns] of an embedding, [elements] of a bias or a norm's weight (as
   * stored: where a norm has a `weightOffset`, it is still added).
   *
   * They are read, never written, and must stay as they are until the evaluation has ended. Workers
   * read values in a `SharedArrayBuffer` in place; others are copied once for each time that they
   * are brought into memory, so large ones are better made shared. Changes with the same array share
   * what is made of it.
   */
  readonly values?: Float32Array;
  /**
   * A tensor of another checkpoint, of the same rows and columns, where there are no values. Caches see
   * nothing of its file either: the variant's id must say what it is.
   */
  readonly stored?: ModelTensor;
  /** Added to a matrix; of no effect on biases and weights of norms. */
  readonly noise?: WeightNoise;
  /** Absent: as stored, or as the values are. Of no effect on biases and weights of norms. */
  readonly format?: NumberFormat;
}

/** How what a linear map takes is rounded. */
export interface ActivationChange {
  readonly format: ActivationFormat;
  /** Of formats with a static scale: the largest magnitude, of what calibration saw. */
  readonly range?: number;
  /** What a method or calibration has found, in place of a range; formats with a scale for each input need it. */
  readonly fixed?: FixedRounding;
}

/**
 * A change to a model: these tensors are changed, all others are as they are.
 *
 * A tensor changes wherever it is used: a tied head changes with its embedding. A variant cannot add
 * what the model lacks, such as a bias where a linear map has none.
 */
export interface Variant {
  /**
   * Unique among the variants of an evaluation, stable between runs: names it in caches. Caches see
   * nothing else of a variant, so the id of one with values must say what they are: the method with
   * all of its settings, and a hash of what it was calibrated on. The same of activations: it names
   * their format, and says by a hash which ranges static ones have.
   */
  readonly id: string;
  /** By tensor name. */
  readonly changes: ReadonlyMap<string, TensorChange>;
  /**
   * Linear maps of blocks whose inputs are rounded before they are multiplied, by the name of their weights'
   * tensor. Observers see inputs as they are before that.
   */
  readonly activations?: ReadonlyMap<string, ActivationChange>;
}

/** What scoring one window came to. Every position but the last has a target: the next token. */
export interface WindowScore {
  readonly targets: number;
  /** Σ −log p(target), nats. */
  readonly nll: number;
  /** Σ KL(unquantized ‖ this) over the scored positions, nats; 0 for the unquantized model. */
  readonly divergence: number;
  /** Σ KL(this ‖ unquantized) over the scored positions, nats; 0 for the unquantized model. */
  readonly reverseDivergence: number;
  /** Σ of the largest probability over the scored positions. */
  readonly confidence: number;
  /** Scored positions whose most probable token is that of the unquantized model. */
  readonly agreements: number;
}

/** Scores kept between evaluations, by variant and window; the unquantized model is `baseline`. */
export interface ScoreStore {
  get(variant: string, window: number): WindowScore | undefined;
  /**
   * Resolves when the scores would survive a crash.
   * @param nonFinite weights of the model that are NaN or ±Inf and counted as 0
   */
  put(
    scores: readonly { variant: string; window: number; score: WindowScore }[],
    nonFinite: number,
  ): Promise<void>;
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
  /** Sees what linear maps take. Scores that a store has are computed again, since it must see all. */
  readonly observer?: InputObserver;
}

/** Where an evaluation goes on when its machine fails. */
export interface Fallback {
  readonly pool: TaskMachine;
  /** For its scores: those of machines are kept apart. */
  readonly store?: ScoreStore;
  /**
   * Hears of the failure.
   * @param scored windows that the machine has done with; they are not run again
   * @param blocks through which it has taken those that come next, as far as is known here
   */
  readonly onFailure: (failure: Error, scored: number, blocks: number) => void;
}

/** Windows of tokens, and the models that they are taken through. */
export interface EvaluationRequest {
  readonly pool: TaskMachine;
  /** Absent: a failure of the machine is one of the evaluation. */
  readonly fallback?: Fallback;
  readonly model: LanguageModel;
  /** Token ids, at least two each. */
  readonly windows: readonly Int32Array[];
  /** Their ids must differ. */
  readonly variants?: readonly Variant[];
  readonly settings: EvaluationSettings;
}

export interface EvaluationResult {
  /** One per window. */
  readonly baseline: readonly WindowScore[];
  /** One list per variant, in the order asked for. */
  readonly variants: readonly (readonly WindowScore[])[];
  /** Weights of the model that are NaN or ±Inf and counted as 0; undefined where no window was run. */
  readonly nonFinite: number | undefined;
  readonly forwardSeconds: number;
}
