import type { NumberFormat, ScaleDtype } from '../../formats/index.js';
import type { WalkRequest } from '../calibration/types.js';

export interface TrainingSettings {
  /** Steps of the optimizer. */
  readonly steps: number;
  /** Windows of a step. */
  readonly batch: number;
  /** Learning rate of AdamW: constant, as BitDistiller's. */
  readonly rate: number;
  readonly decay: number;
  /** Steps from one look at the windows held back to the next. */
  readonly checkEvery: number;
  /** Of the order of windows. */
  readonly seed: number;
}

/** What makes the sample better in a few minutes. */
export const DEFAULT_TRAINING: TrainingSettings = Object.freeze({
  steps: 200,
  batch: 4,
  rate: 2e-4,
  decay: 0,
  checkEvery: 20,
  seed: 0,
});

/** A model's weights on their way: f32 values of the trained tensors, one behind the other in the plan's order. */
export interface TrainingState {
  /** Steps taken. */
  readonly step: number;
  readonly weights: Float32Array;
  /** AdamW's running means. */
  readonly first: Float32Array;
  readonly second: Float32Array;
  /** Those of the least loss on the windows held back, and that loss. */
  readonly best: Float32Array;
  readonly checks: readonly TrainingCheck[];
}

/** A look at the windows held back. */
export interface TrainingCheck {
  readonly step: number;
  /** Mean confidence-aware divergence from the unquantized model, in nats per token. */
  readonly loss: number;
}

export interface TrainingRequest extends WalkRequest {
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
  /** Held back: they choose among the states of training and are not trained on. */
  readonly validation: readonly Int32Array[];
  readonly settings: TrainingSettings;
  /** Where an earlier run has come to. */
  readonly resume?: TrainingState;
  /** Called after each check; the state's arrays are its own. */
  readonly onState?: (state: TrainingState) => Promise<void>;
}

export interface TrainedWeights {
  /** Of the best check, rounded to the format and decoded: f32 [outputs × inputs], by tensor. */
  readonly ofWeights: ReadonlyMap<string, Float32Array>;
  /** The first is that of weights rounded to nearest. */
  readonly checks: readonly TrainingCheck[];
  readonly best: TrainingCheck;
  /** The unquantized model's mean confidence: the share of KL(student ‖ teacher). */
  readonly gamma: number;
}
