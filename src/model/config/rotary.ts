import { quoted } from '../../storage/errors.js';
import type { Configuration } from './configuration.js';
import type { RotaryPlan } from './plan.js';

const DEFAULT_THETA = 10000;

/** Radians per position: with the largest position, angles are still finite in single precision. */
const MAX_FREQUENCY = 1e28;

/** Names of the fields of an architecture. */
interface RotaryKeys {
  readonly theta?: string;
  /** The share of a head that turns, and what it is where the field is missing. */
  readonly partial?: { readonly key: string; readonly fallback: number };
}

/** Where a configuration keeps its rotary settings. */
interface RotarySettings {
  readonly theta: number;
  readonly share: number;
  readonly scaling?: Configuration;
}

/** One object in newer configurations (`rope_parameters`), loose fields in older ones. */
function settingsOf(config: Configuration, keys: RotaryKeys): RotarySettings {
  const { theta = 'rope_theta', partial } = keys;
  const looseShare = () => (partial ? config.share(partial.key, partial.fallback) : 1);
  const parameters = config.section('rope_parameters');
  if (parameters) {
    const full = parameters.section('full_attention');
    const sliding = parameters.section('sliding_attention');
    if (full && sliding && JSON.stringify(full) !== JSON.stringify(sliding)) {
      config.fail('rotary settings that differ between layers are not supported');
    }
    const used = full ?? sliding ?? parameters;
    const inUsed = used.has('partial_rotary_factor');
    return {
      theta: used.positive('rope_theta'),
      share: inUsed ? used.share('partial_rotary_factor') : looseShare(),
      scaling: used,
    };
  }
  if (!config.has(theta)) {
    config.notes.push(`config.json has no "${theta}"; ${DEFAULT_THETA} is assumed`);
  }
  return {
    theta: config.positive(theta, DEFAULT_THETA),
    share: looseShare(),
    scaling: config.section('rope_scaling'),
  };
}

/** Smooth change between unscaled high and scaled low frequencies (Llama 3.1). */
function llama3Frequencies(frequencies: Float32Array, scaling: Configuration): Float32Array {
  const factor = scaling.positive('factor');
  const low = scaling.positive('low_freq_factor');
  const high = scaling.positive('high_freq_factor');
  if (low >= high) scaling.fail(`"low_freq_factor" ${low} is not below "high_freq_factor" ${high}`);
  const original = scaling.count('original_max_position_embeddings');
  return frequencies.map((frequency) => {
    const wavelength = (2 * Math.PI) / frequency;
    if (wavelength < original / high) return frequency;
    if (wavelength > original / low) return frequency / factor;
    const share = (original / wavelength - low) / (high - low);
    return share * frequency + ((1 - share) * frequency) / factor;
  });
}

/** Factors per frequency, one list for short and one for long windows (Phi-3). */
function longRope(
  config: Configuration,
  scaling: Configuration,
  frequencies: Float32Array,
): Omit<RotaryPlan, 'dims'> {
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

/**
 * The rotary encoding of a configuration.
 * @param headSize elements per head
 * @throws for kinds of scaling that are not supported, and for numbers that give no angles
 */
export function planRotary(
  config: Configuration,
  headSize: number,
  keys: RotaryKeys = {},
): RotaryPlan {
  const { theta, share, scaling } = settingsOf(config, keys);
  const dims = Math.trunc(headSize * share);
  if (dims < 2 || dims % 2 !== 0) {
    config.fail(`rotary encoding of ${dims} of ${headSize} elements per head is not possible`);
  }
  const frequencies = new Float32Array(dims / 2).map((_, i) => 1 / theta ** ((2 * i) / dims));
  const plan = { dims, ...scaled(config, scaling, frequencies) };
  for (const list of [plan.frequencies, plan.longFrequencies ?? []]) {
    if (!list.every((each) => each <= MAX_FREQUENCY)) {
      config.fail('the rotary encoding turns too fast for its angles to be computed');
    }
  }
  return plan;
}

/** Frequencies after the scaling that a configuration asks for. */
function scaled(
  config: Configuration,
  scaling: Configuration | undefined,
  frequencies: Float32Array,
): Omit<RotaryPlan, 'dims'> {
  const kind = scaling?.text('rope_type', scaling.text('type', 'default')) ?? 'default';
  switch (kind) {
    case 'default':
      return { frequencies, factor: 1 };
    case 'dynamic':
      scaling!.positive('factor', 1);
      // Changes nothing up to max_position_embeddings, and no longer window is allowed then.
      return { frequencies, factor: 1, longAfter: config.positions('max_position_embeddings') };
    case 'linear': {
      const factor = scaling!.positive('factor');
      return { frequencies: frequencies.map((each) => each / factor), factor: 1 };
    }
    case 'llama3':
      return { frequencies: llama3Frequencies(frequencies, scaling!), factor: 1 };
    case 'frequency_factors': {
      // What GGUF files hold in place of the numbers that the factors were computed from.
      const factors = scaling!.positives('factors', frequencies.length);
      const divided = frequencies.map((each, i) => each / Math.fround(factors[i]));
      return { frequencies: divided, factor: 1 };
    }
    case 'longrope':
    case 'su':
      return longRope(config, scaling!, frequencies);
    default:
      return config.fail(
        `rotary scaling of type ${quoted(kind)} is not supported; there are linear, llama3, longrope and dynamic`,
      );
  }
}

/** True for windows that take the frequencies of long ones. */
export function isLongWindow(
  { longAfter }: Pick<RotaryPlan, 'longAfter'>,
  positions: number,
): boolean {
  return longAfter !== undefined && positions > longAfter;
}

/**
 * Cosines and sines, f32 [positions × dims/2] each.
 * @param windowLength positions of the window, which may decide the frequencies
 */
export function computeRotaryTables(
  { frequencies, longFrequencies, longAfter, factor }: RotaryPlan,
  positions: number,
  windowLength: number,
): { readonly cos: Float32Array; readonly sin: Float32Array } {
  const long = isLongWindow({ longAfter }, windowLength);
  if (long && !longFrequencies) {
    throw new Error(`Windows of more than ${longAfter} positions need another rotary encoding`);
  }
  const used = long ? longFrequencies! : frequencies;
  const cos = new Float32Array(positions * used.length);
  const sin = new Float32Array(positions * used.length);
  for (let position = 0; position < positions; position++) {
    for (let i = 0; i < used.length; i++) {
      const angle = Math.fround(position * used[i]);
      cos[position * used.length + i] = Math.fround(Math.cos(angle)) * factor;
      sin[position * used.length + i] = Math.fround(Math.sin(angle)) * factor;
    }
  }
  return { cos, sin };
}
