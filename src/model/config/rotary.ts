import type { Configuration } from './configuration.js';
import type { RotaryPlan } from './plan.js';

const DEFAULT_THETA = 10000;

/** Where a configuration keeps its rotary settings. */
interface RotarySettings {
  readonly theta: number;
  readonly scaling?: Configuration;
  readonly partialFactor?: number;
}

/** One object in newer configurations (`rope_parameters`), loose fields in older ones. */
function settingsOf(config: Configuration, thetaKey: string): RotarySettings {
  const parameters = config.section('rope_parameters');
  if (parameters) {
    const full = parameters.section('full_attention');
    const sliding = parameters.section('sliding_attention');
    if (full && sliding && JSON.stringify(full) !== JSON.stringify(sliding)) {
      config.fail('rotary settings that differ between layers are not supported');
    }
    const used = full ?? sliding ?? parameters;
    return {
      theta: used.number('rope_theta'),
      scaling: used,
      partialFactor: used.has('partial_rotary_factor')
        ? used.number('partial_rotary_factor')
        : undefined,
    };
  }
  if (!config.has(thetaKey)) {
    config.notes.push(`config.json has no "${thetaKey}"; ${DEFAULT_THETA} is assumed`);
  }
  return {
    theta: config.number(thetaKey, DEFAULT_THETA),
    scaling: config.section('rope_scaling'),
  };
}

/** Smooth change between unscaled high and scaled low frequencies (Llama 3.1). */
function llama3Frequencies(frequencies: Float32Array, scaling: Configuration): Float32Array {
  const factor = scaling.number('factor');
  const low = scaling.number('low_freq_factor');
  const high = scaling.number('high_freq_factor');
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
  const original = holder.count('original_max_position_embeddings');
  const divided = (key: string) => {
    const factors = scaling.numbers(key);
    if (factors.length !== frequencies.length) {
      scaling.fail(`"${key}" has ${factors.length} factors, ${frequencies.length} are wanted`);
    }
    return frequencies.map((frequency, i) => frequency / Math.fround(factors[i]));
  };
  const ratio = config.count('max_position_embeddings') / original;
  const factor = ratio <= 1 ? 1 : Math.sqrt(1 + Math.log(ratio) / Math.log(original));
  return {
    frequencies: divided('short_factor'),
    longFrequencies: divided('long_factor'),
    longAfter: original,
    factor: scaling.has('attention_factor') ? scaling.number('attention_factor') : factor,
  };
}

/**
 * The rotary encoding of a configuration.
 * @param headSize elements per head
 * @param keys names of fields that differ between architectures
 * @throws for kinds of scaling that are not supported
 */
export function planRotary(
  config: Configuration,
  headSize: number,
  keys: { readonly theta?: string; readonly partial?: string } = {},
): RotaryPlan {
  const { theta, scaling, partialFactor } = settingsOf(config, keys.theta ?? 'rope_theta');
  const fraction = partialFactor ?? (keys.partial ? config.number(keys.partial, 1) : 1);
  const dims = Math.trunc(headSize * fraction);
  if (dims < 2 || dims > headSize || dims % 2 !== 0) {
    config.fail(`rotary encoding of ${dims} of ${headSize} elements per head is not possible`);
  }
  const frequencies = new Float32Array(dims / 2).map((_, i) => 1 / theta ** ((2 * i) / dims));
  const kind = scaling?.text('rope_type', scaling.text('type', 'default')) ?? 'default';
  switch (kind) {
    case 'default':
      return { dims, frequencies, factor: 1 };
    case 'dynamic':
      // Changes nothing up to max_position_embeddings, and no longer window is allowed then.
      return { dims, frequencies, factor: 1, longAfter: config.count('max_position_embeddings') };
    case 'linear': {
      const factor = scaling!.number('factor');
      return { dims, frequencies: frequencies.map((each) => each / factor), factor: 1 };
    }
    case 'llama3':
      return { dims, frequencies: llama3Frequencies(frequencies, scaling!), factor: 1 };
    case 'longrope':
    case 'su':
      return { dims, ...longRope(config, scaling!, frequencies) };
    default:
      return config.fail(
        `rotary scaling of type "${kind}" is not supported; there are linear, llama3, longrope and dynamic`,
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
