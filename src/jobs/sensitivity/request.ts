import type { ModelTensor } from '../../checkpoint/types.js';
import type { PerplexitySettings } from '../perplexity/measurement.js';
import type { TensorEnergy } from './estimateSensitivity.js';

/** How sensitivities are measured; what is not said is {@link DEFAULT_SENSITIVITY}. */
export interface SensitivitySettings {
  readonly windows?: number;
  /** Tokens of a window. */
  readonly context?: number;
  /** Squared relative errors of the noise, each above 0. */
  readonly noise?: readonly number[];
  readonly seed?: number;
  /** Token ids drawn at random in the place of a text. */
  readonly randomIds?: boolean;
}

export const DEFAULT_SENSITIVITY = Object.freeze({
  windows: 2,
  context: 256,
  noise: [0.01],
  seed: 0,
  randomIds: false,
});

export interface SensitivityRequest {
  readonly tensors: readonly ModelTensor[];
  /** Σw² of the tensors where it is known; else they are read once more. */
  readonly energies?: readonly TensorEnergy[];
  readonly settings?: SensitivitySettings;
  /** The text is that of calibrations: not the one that is scored. */
  readonly run?: Pick<
    PerplexitySettings,
    'calibration' | 'bosEveryWindow' | 'memoryBudgetBytes' | 'cacheFolder'
  >;
}
