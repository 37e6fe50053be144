import type { ModelTensor } from '../../checkpoint/types.js';
import type { PerplexitySettings } from '../perplexity/measurement.js';

/** How sensitivities are measured; what is not said is {@link DEFAULT_SENSITIVITY}. */
export interface SensitivitySettings {
  readonly windows?: number;
  /** Tokens of a window. */
  readonly context?: number;
  /** Squared relative errors of the noise, each above 0. */
  readonly noise?: readonly number[];
  /** Times that noise is drawn for each tensor and size. */
  readonly draws?: number;
  readonly seed?: number;
  /** Token ids drawn at random in the place of a text. */
  readonly randomIds?: boolean;
}

export const DEFAULT_SENSITIVITY = Object.freeze({
  windows: 2,
  context: 256,
  noise: [0.01],
  draws: 3,
  seed: 0,
  randomIds: false,
});

export interface SensitivityRequest {
  readonly tensors: readonly ModelTensor[];
  readonly settings?: SensitivitySettings;
  /** Where the text comes from: a calibration text where one is named, else what is scored. */
  readonly run?: PerplexitySettings;
}
