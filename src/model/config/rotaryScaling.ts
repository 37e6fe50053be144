import { quoted } from '../../storage/errors.js';
import type { Configuration } from './configuration.js';
import type { RotaryPlan } from './plan.js';

/** Frequencies and the factor of cosine and sine. */
export type Scaled = Pick<RotaryPlan, 'frequencies' | 'longFrequencies' | 'longAfter' | 'factor'>;

/** What scalings are computed from. */
export interface Unscaled {
  /** Of the model. */
  readonly config: Configuration;
  /** Where the settings of the scaling stand. */
  readonly scaling: Configuration;
  readonly theta: number;
  /** Elements of a head that turn. */
  readonly dims: number;
  /** Radians per position, f32 [dims/2]. */
  readonly frequencies: Float32Array;
}

/** Positions of the training before the scaling: stated beside the scaling, in the model, or all. */
function originalPositions({ config, scaling }: Unscaled): number {
  const key = 'original_max_position_embeddings';
  if (scaling.has(key)) return scaling.count(key);
  return config.has(key) ? config.count(key) : config.count('max_position_embeddings');
}

/** Smooth change between unscaled high and scaled low frequencies (Llama 3.1). */
function llama3(unscaled: Unscaled): Scaled {
  const { scaling, frequencies } = unscaled;
  const factor = scaling.positive('factor');
  const low = scaling.positive('low_freq_factor');
  const high = scaling.positive('high_freq_factor');
  if (low >= high) scaling.fail(`"low_freq_factor" ${low} is not below "high_freq_factor" ${high}`);
  const original = originalPositions(unscaled);
  const scaled = frequencies.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < original / high) return frequency;
    if (wavelength > original / low) return frequency / factor;
    const share = (original / wavelength - low) / (high - low);
    return share * frequency + ((1 - share) * frequency) / factor;
  });
  return { frequencies: scaled, factor: 1 };
}

/** Factors per frequency, one list for short and one for long windows (Phi-3). */
function longRope({ config, scaling, frequencies }: Unscaled): Scaled {
  const holder = scaling.has('original_max_position_embeddings') ? scaling : config;
  const original = holder.positions('original_max_position_embeddings');
  const divided = (key: string) => {
    const factors = scaling.positives(key, frequencies.length);
    return frequencies.map((frequency, i) => frequency / Math.fround(factors[i]));
  };
  const ratio = config.positions('max_position_embeddings') / original;
  const factor = ratio <= 1 ? 1 : Math.sqrt(1 + Math.log(ratio) / Math.log(original));
  return {
    frequencies: divided('short_factor'),
    longFrequencies: divided('long_factor'),
    longAfter: original,
    factor: scaling.positive('attention_factor', factor),
  };
}

/** Low frequencies scaled, high ones not, a ramp between; cosine and sine grow with the factor (YaRN). */
function yarn(unscaled: Unscaled): Scaled {
  const { config, scaling, theta, dims, frequencies } = unscaled;
  const original = originalPositions(unscaled);
  const factor = scaling.has('factor')
    ? scaling.positive('factor')
    : config.positions('max_position_embeddings') / original;
  if (theta === 1) scaling.fail('yarn needs a "rope_theta" other than 1');
  /** Where in the list of frequencies a wave turns so often in the original positions. */
  const indexOf = (turns: number) =>
    (dims * Math.log(original / (turns * 2 * Math.PI))) / (2 * Math.log(theta));
  const whole = scaling.boolean('truncate', true);
  const fast = indexOf(scaling.positive('beta_fast', 32));
  const slow = indexOf(scaling.positive('beta_slow', 1));
  const low = Math.max(whole ? Math.floor(fast) : fast, 0);
  const high = Math.min(whole ? Math.ceil(slow) : slow, dims - 1);
  const width = low === high ? 0.001 : high - low;
  return {
    frequencies: frequencies.map((frequency, i) => {
      const scaled = Math.min(Math.max((i - low) / width, 0), 1);
      return (frequency / factor) * scaled + frequency * (1 - scaled);
    }),
    factor: scaling.positive('attention_factor', yarnFactor(scaling, factor)),
  };
}

function yarnFactor(scaling: Configuration, factor: number): number {
  const growth = (share: number) => (factor <= 1 ? 1 : 0.1 * share * Math.log(factor) + 1);
  const share = scaling.fromZero('mscale', 0);
  const shareOfAll = scaling.fromZero('mscale_all_dim', 0);
  // Only both together count, as in the library that defines these models.
  return share > 0 && shareOfAll > 0 ? growth(share) / growth(shareOfAll) : growth(1);
}

const SCALINGS: ReadonlyMap<string, (unscaled: Unscaled) => Scaled> = new Map([
  [
    'linear',
    ({ scaling, frequencies }) => {
      const factor = scaling.positive('factor');
      return { frequencies: frequencies.map((each) => each / factor), factor: 1 };
    },
  ],
  ['llama3', llama3],
  ['longrope', longRope],
  ['su', longRope],
  ['yarn', yarn],
  [
    'dynamic',
    ({ config, scaling, frequencies }) => {
      scaling.positive('factor', 1);
      // Changes nothing up to max_position_embeddings, and no longer window is allowed then.
      return { frequencies, factor: 1, longAfter: config.positions('max_position_embeddings') };
    },
  ],
  [
    // What GGUF files hold in place of the numbers that the factors were computed from.
    'frequency_factors',
    ({ scaling, frequencies }) => {
      const factors = scaling.positives('factors', frequencies.length);
      return {
        frequencies: frequencies.map((each, i) => each / Math.fround(factors[i])),
        factor: 1,
      };
    },
  ],
  // Positions of text are the same in all of a picture's dimensions.
  ['mrope', ({ frequencies }) => ({ frequencies, factor: 1 })],
]);

/** Frequencies after the scaling of a kind. @throws where the kind is not known */
export function scaleFrequencies(kind: string, unscaled: Unscaled): Scaled {
  const scale = SCALINGS.get(kind);
  if (scale) return scale(unscaled);
  return unscaled.config.fail(
    `rotary scaling of type ${quoted(kind)} is not supported; there are ${[...SCALINGS.keys()].join(', ')}`,
  );
}
