import type {
  GgmlTypeName,
  GridScaling,
  RangeSearch,
  Rule,
  ScaleDtype,
} from '../../formats/types.js';
import type { Activation } from '../forwardKernels.js';
import { CLIPPED_STEP_ERROR, RAW, SUM_RUN } from '../types.js';

// What the host and the kernels share: words of the configuration and codes of choices. The kernels'
// side, assembly/config.ts, is generated from here (configSource.ts), so that neither order nor
// numbers exist twice.

/** One 32-bit word of the configuration. */
export interface ConfigField {
  /** Its type in the kernels; `usize` is an address. */
  readonly type: 'i32' | 'f32' | 'usize';
  /** Comment for the generated class. */
  readonly doc?: string;
}

/** The words of a configuration in their order in memory. */
export const CONFIG_FIELDS = {
  rule: { type: 'i32', doc: 'One of RULE_….' },
  dtype: { type: 'i32', doc: 'Storage type of scales, one of SCALE_….' },
  search: { type: 'i32', doc: 'One of SEARCH_….' },
  variant: { type: 'i32', doc: 'Convention (integers) or scaling (grids).' },
  lowestCode: { type: 'f32' },
  highestCode: { type: 'f32', doc: 'Highest code; for dINT the highest integer code.' },
  fixedZero: { type: 'f32', doc: 'Zero point where it is fixed, else −1.' },
  ties: { type: 'i32', doc: 'One of TIES_….' },
  special: { type: 'f32', doc: 'Denormal level of dINT.' },
  divisor: { type: 'f32' },
  divisorExponent: { type: 'i32', doc: '⌊log2 divisor⌋.' },
  fractionBits: { type: 'i32' },
  minExponentBits: { type: 'i32', doc: 'Bits of 2^minExponent as f32.' },
  largest: { type: 'f32' },
  signBit: { type: 'i32', doc: "Sign bit of a small float's codes." },
  range: { type: 'i32', doc: "Whose extremes a group's range is: OWN_RANGE or WHOLE_TENSOR." },
  tensorLo: { type: 'f32' },
  tensorHi: { type: 'f32' },
  keepOutput: { type: 'i32', doc: '1: values are kept for the caller, not only their errors.' },
  grid: {
    type: 'usize',
    doc: 'Grid of at most 16 levels, see grid16.ts; 0: a small float (blocks that choose).',
  },
  choices: { type: 'usize', doc: 'Choices of a block, see choice.ts.' },
  choiceCount: { type: 'i32' },
  tensorDivisor: { type: 'f32', doc: "What the tensor's largest magnitude is divided by." },
  leastScale: { type: 'f32', doc: "Limits of a block's scale." },
  greatestScale: { type: 'f32' },
} as const satisfies Record<string, ConfigField>;

/** Bytes of a configuration. */
export const CONFIG_BYTES = Object.keys(CONFIG_FIELDS).length * 4;

/** Values of some of a configuration's words; those left out are 0. */
export type ConfigValues = { readonly [Field in keyof typeof CONFIG_FIELDS]?: number };

/** Levels that a byte shuffle can look up. */
export const MAX_GRID_LEVELS = 16;

/** Bytes at which the parts of a grid lie, each of {@link MAX_GRID_LEVELS} f32. */
export const GRID_LAYOUT = {
  /** +Infinity after the last. */
  thresholds: 0,
  /** The last repeated. */
  levels: 64,
  /** Inverse: entry i belongs to the interval above level i, the last to the one below. */
  widths: 128,
  /** Four planes of bytes each; the kernels write them. */
  levelPlanes: 192,
  widthPlanes: 256,
  length: 320,
} as const;

/** Bytes at which the parts of one of a block's choices lie. */
export const CHOICE_LAYOUT = {
  /** Address of its grid, or 0 for the small float of the configuration. */
  grid: 0,
  divisor: 4,
  expansion: 8,
  steps: 12,
  /** Place of its grid among the format's. */
  gridIndex: 16,
  length: 32,
} as const;

/** Numbers that host and kernels share: name of the kernels' constant → type and value. */
export const CONSTANTS: readonly (readonly [
  doc: string,
  type: 'i32' | 'f32' | 'usize',
  values: Readonly<Record<string, number>>,
])[] = [
  ['Bytes at which the sums of a chunk lie, see kernels/types.ts', 'usize', offsets('SUM', RAW, 8)],
  ['Bytes at which the parts of a grid lie', 'usize', offsets('GRID', GRID_LAYOUT, 1)],
  ['Bytes at which the parts of a choice lie', 'usize', offsets('CHOICE', CHOICE_LAYOUT, 1)],
  ['Weights that are summed from 0', 'i32', { SUM_RUN }],
  ['Errors in steps beyond this count as clipped', 'f32', { CLIPPED_STEP_ERROR }],
];

/** Names of a layout's parts as constants (GRID_LEVEL_PLANES), with their places in bytes. */
function offsets(
  prefix: string,
  layout: Readonly<Record<string, number>>,
  unit: number,
): Record<string, number> {
  const named = Object.entries(layout).map(([part, place]) => {
    const name = part.replaceAll(/[A-Z]/g, (letter) => `_${letter}`).toUpperCase();
    return [`${prefix}_${name}`, place * unit] as const;
  });
  return Object.fromEntries(named);
}

/**
 * A choice as host and kernels know it: the host's value → the name of the kernels' constant. Codes
 * are the places in this order.
 */
export type Choice<T extends string> = Readonly<Record<T, string>>;

/** Rules by the loops that carry them out: grids are looked up or, where they are floats, computed. */
export const RULES: Choice<
  'integer' | 'denormal-integer' | 'grid16' | 'minifloat' | 'block-choice'
> = {
  integer: 'RULE_INTEGER',
  'denormal-integer': 'RULE_DENORMAL',
  grid16: 'RULE_GRID16',
  minifloat: 'RULE_MINIFLOAT',
  'block-choice': 'RULE_CHOICE',
};

export const CONVENTIONS: Choice<Extract<Rule, { kind: 'integer' }>['convention']> = {
  'gptq-asym': 'GPTQ_ASYM',
  'gptq-sym': 'GPTQ_SYM',
  awq: 'AWQ',
  absmax: 'ABSMAX',
};

export const SCALINGS: Choice<GridScaling> = {
  shared: 'SHARED',
  'by-sign': 'BY_SIGN',
  'by-sign-e5m2': 'BY_SIGN_E5M2',
  'power-of-two': 'POWER_OF_TWO',
  'power-of-two-ceil': 'POWER_OF_TWO_CEIL',
  'power-of-two-round': 'POWER_OF_TWO_ROUND',
  'e4m3-two-level': 'E4M3_TWO_LEVEL',
  e4m3: 'E4M3',
  'absmax-reciprocal': 'RECIPROCAL',
};

export const SEARCHES: Choice<RangeSearch> = {
  none: 'SEARCH_NONE',
  mse: 'SEARCH_MSE',
  clip: 'SEARCH_CLIP',
};

export const TIES: Choice<'even' | 'lower' | 'away'> = {
  even: 'TIES_EVEN',
  lower: 'TIES_LOWER',
  away: 'TIES_AWAY',
};

export const RANGES: Choice<'group' | 'tensor'> = {
  group: 'OWN_RANGE',
  tensor: 'WHOLE_TENSOR',
};

export const SCALE_DTYPES: Choice<ScaleDtype> = {
  f32: 'SCALE_F32',
  f16: 'SCALE_F16',
  bf16: 'SCALE_BF16',
};

export const GGML_CODES: Choice<GgmlTypeName> = {
  q4_0: 'Q4_0',
  q4_1: 'Q4_1',
  q5_0: 'Q5_0',
  q5_1: 'Q5_1',
  q8_0: 'Q8_0',
  iq4_nl: 'IQ4_NL',
  q2_k: 'Q2_K',
  q3_k: 'Q3_K',
  q4_k: 'Q4_K',
  q5_k: 'Q5_K',
  q6_k: 'Q6_K',
  iq4_xs: 'IQ4_XS',
  mxfp4: 'MXFP4',
  nvfp4: 'NVFP4',
  tq1_0: 'TQ1_0',
  tq2_0: 'TQ2_0',
  q1_0: 'Q1_0',
  q2_0: 'Q2_0',
};

export const ACTIVATIONS: Choice<Activation> = {
  silu: 'SILU',
  gelu: 'GELU',
  'gelu-tanh': 'GELU_TANH',
  'gelu-10': 'GELU_10',
  'quick-gelu': 'QUICK_GELU',
  relu: 'RELU',
  relu2: 'RELU2',
};

/** Every choice, with a comment for the generated file. */
export const CHOICES: readonly (readonly [doc: string, choice: Choice<string>])[] = [
  ['Rules', RULES],
  ['Conventions of integers', CONVENTIONS],
  ['Scalings of grids', SCALINGS],
  ['Searches for a better range', SEARCHES],
  ['What happens halfway between two levels', TIES],
  ["Whose extremes a group's range is", RANGES],
  ['Storage types of scales', SCALE_DTYPES],
  ["GGUF's block formats", GGML_CODES],
  ['Activation functions of the forward pass', ACTIVATIONS],
];

/** The number by which the kernels know a value. */
export function codeOf<T extends string>(choice: Choice<T>, value: T): number {
  return Object.keys(choice).indexOf(value);
}
