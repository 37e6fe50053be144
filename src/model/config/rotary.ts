import type { Configuration } from './configuration.js';
import type { RotaryPlan } from './plan.js';
import { scaleFrequencies, type Scaled } from './rotaryScaling.js';

const DEFAULT_THETA = 10000;

/** Radians per position: with the largest position, angles are still finite in single precision. */
const MAX_FREQUENCY = 1e28;

/** What an architecture calls its rotary settings, and what they are where a configuration leaves them out. */
export interface RotaryKeys {
  readonly theta?: string;
  readonly defaultTheta?: number;
  /** The share of a head that turns, and what it is where the field is missing. */
  readonly partial?: { readonly key: string; readonly fallback: number };
  /** Elements 2i and 2i + 1 turn together, not i and i + dims/2. */
  readonly interleaved?: boolean;
}

/** The part of settings by layer type that holds for layers which see everything, or a window. */
type LayerType = 'full_attention' | 'sliding_attention';

/** Where a configuration keeps its rotary settings. */
interface RotarySettings {
  readonly theta: number;
  readonly share: number;
  readonly scaling?: Configuration;
}

/** The one object that counts: `rope_scaling` of older configurations unless it is null or empty. */
function sectionOf(config: Configuration): Configuration | undefined {
  const older = config.section('rope_scaling');
  return older && !older.isEmpty() ? older : config.section('rope_parameters');
}

/** Settings for layers of a type where the object has them by type; otherwise the object. */
function partOf(section: Configuration, type: LayerType): Configuration {
  const byType = (['full_attention', 'sliding_attention'] as const).filter((each) =>
    section.has(each),
  );
  if (byType.length === 0) return section;
  return section.section(byType.includes(type) ? type : byType[0])!;
}

/** True where layers with a window and layers without turn differently. */
export function turnsByType(config: Configuration): boolean {
  const section = sectionOf(config);
  if (!section) return false;
  const [full, sliding] = [section.section('full_attention'), section.section('sliding_attention')];
  return !!full && !!sliding && JSON.stringify(full) !== JSON.stringify(sliding);
}

/** Each field beside the scaling, else in the model's configuration, else the architecture's default. */
function settingsOf(config: Configuration, keys: RotaryKeys, type: LayerType): RotarySettings {
  const { theta = 'rope_theta', defaultTheta = DEFAULT_THETA, partial } = keys;
  const section = sectionOf(config);
  const scaling = section && partOf(section, type);
  if (!scaling?.has('rope_theta') && !config.has(theta)) {
    config.notes.push(`config.json has no "${theta}"; ${defaultTheta} is assumed`);
  }
  const looseShare = () => (partial ? config.share(partial.key, partial.fallback) : 1);
  return {
    theta: scaling?.has('rope_theta')
      ? scaling.positive('rope_theta')
      : config.positive(theta, defaultTheta),
    share: scaling?.has('partial_rotary_factor')
      ? scaling.share('partial_rotary_factor')
      : looseShare(),
    scaling,
  };
}

/**
 * The rotary encoding of a configuration, the same in all layers.
 * @param headSize elements per head
 * @throws for kinds of scaling that are not supported, and for numbers that give no angles
 */
export function planRotary(
  config: Configuration,
  headSize: number,
  keys: RotaryKeys = {},
): RotaryPlan {
  if (turnsByType(config)) {
    config.fail('rotary settings that differ between layers are not supported');
  }
  return makePlan(config, headSize, keys, settingsOf(config, keys, 'full_attention'));
}

/**
 * The rotary encodings of an architecture whose layers may see a window only.
 * @returns `localRotary` where layers with a window turn differently
 */
export function planRotaries(
  config: Configuration,
  headSize: number,
  keys: RotaryKeys = {},
): { readonly rotary: RotaryPlan; readonly localRotary?: RotaryPlan } {
  const plan = (type: LayerType) =>
    makePlan(config, headSize, keys, settingsOf(config, keys, type));
  const rotary = plan('full_attention');
  return turnsByType(config) ? { rotary, localRotary: plan('sliding_attention') } : { rotary };
}

/** A rotary encoding without scaling. */
export function plainRotary(config: Configuration, headSize: number, theta: number): RotaryPlan {
  return makePlan(config, headSize, {}, { theta, share: 1 });
}

function makePlan(
  config: Configuration,
  headSize: number,
  { interleaved = false }: RotaryKeys,
  { theta, share, scaling }: RotarySettings,
): RotaryPlan {
  const dims = Math.trunc(headSize * share);
  if (dims < 2 || dims % 2 !== 0) {
    config.fail(`rotary encoding of ${dims} of ${headSize} elements per head is not possible`);
  }
  const frequencies = new Float32Array(dims / 2).map((_, i) => 1 / theta ** ((2 * i) / dims));
  const kind = scaling?.text('rope_type', scaling.text('type', 'default')) ?? 'default';
  const scaled: Scaled =
    scaling && kind !== 'default'
      ? scaleFrequencies(kind, { config, scaling, theta, dims, frequencies })
      : { frequencies, factor: 1 };
  const plan = { dims, interleaved, ...scaled };
  if (!Number.isFinite(Math.fround(plan.factor))) {
    config.fail(`the rotary encoding has a factor of ${plan.factor}`);
  }
  for (const list of [plan.frequencies, plan.longFrequencies ?? []]) {
    if (!list.every((each) => each <= MAX_FREQUENCY)) {
      config.fail('the rotary encoding turns too fast for its angles to be computed');
    }
  }
  return plan;
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
