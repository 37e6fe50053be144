import type { ModelTensor } from '../checkpoint/types.js';
import type { CalibrationTokens } from './reports.js';

/** How much a tensor's error matters. */
export interface TensorSensitivity extends Pick<ModelTensor, 'name' | 'layer' | 'nameInLayer'> {
  readonly parameters: number;
  /**
   * Mean KL(unquantized ‖ changed), in nats per token, for each unit of the squared relative error
   * ‖Ŵ − W‖² / ‖W‖² of this tensor alone: α. A prediction for small errors that are no more alike than noise is.
   */
  readonly alpha: number;
  /** Of α, over windows; null with a single one. */
  readonly standardError: number | null;
  /** Mean KL at each size of the noise. */
  readonly klDivergence: readonly number[];
}

/** Which tensors of a model matter, before any format is chosen. */
export interface SensitivityReport {
  /** What the model was run on; without a text, ids were drawn at random. */
  readonly tokens: CalibrationTokens;
  /** Squared relative errors of the noise. */
  readonly noise: readonly number[];
  readonly seed: number;
  /** Models that were run: one for each tensor and size of the noise. */
  readonly evaluations: number;
  readonly seconds: number;
  readonly tensors: readonly TensorSensitivity[];
  /** What a reader must know. */
  readonly notes: readonly string[];
}
