// Generated from configSchema.ts by every build (scripts/lib/kernelConfig.mjs). Do not edit.

// Rules.
export const RULE_INTEGER: i32 = 0;
export const RULE_DENORMAL: i32 = 1;
export const RULE_GRID16: i32 = 2;
export const RULE_MINIFLOAT: i32 = 3;
export const RULE_CHOICE: i32 = 4;

// Conventions of integers.
export const GPTQ_ASYM: i32 = 0;
export const GPTQ_SYM: i32 = 1;
export const AWQ: i32 = 2;
export const ABSMAX: i32 = 3;

// Scalings of grids.
export const SHARED: i32 = 0;
export const BY_SIGN: i32 = 1;
export const BY_SIGN_E5M2: i32 = 2;
export const POWER_OF_TWO: i32 = 3;
export const POWER_OF_TWO_CEIL: i32 = 4;
export const POWER_OF_TWO_ROUND: i32 = 5;
export const E4M3_TWO_LEVEL: i32 = 6;
export const E4M3: i32 = 7;
export const RECIPROCAL: i32 = 8;

// Searches for a better range.
export const SEARCH_NONE: i32 = 0;
export const SEARCH_MSE: i32 = 1;
export const SEARCH_CLIP: i32 = 2;

// What happens halfway between two levels.
export const TIES_EVEN: i32 = 0;
export const TIES_LOWER: i32 = 1;
export const TIES_AWAY: i32 = 2;

// Whose extremes a group's range is.
export const OWN_RANGE: i32 = 0;
export const WHOLE_TENSOR: i32 = 1;

// Storage types of scales.
export const SCALE_F32: i32 = 0;
export const SCALE_F16: i32 = 1;
export const SCALE_BF16: i32 = 2;

// GGUF's block formats.
export const Q4_0: i32 = 0;
export const Q4_1: i32 = 1;
export const Q5_0: i32 = 2;
export const Q5_1: i32 = 3;
export const Q8_0: i32 = 4;
export const IQ4_NL: i32 = 5;
export const Q2_K: i32 = 6;
export const Q3_K: i32 = 7;
export const Q4_K: i32 = 8;
export const Q5_K: i32 = 9;
export const Q6_K: i32 = 10;
export const IQ4_XS: i32 = 11;
export const MXFP4: i32 = 12;
export const NVFP4: i32 = 13;
export const TQ1_0: i32 = 14;
export const TQ2_0: i32 = 15;
export const Q1_0: i32 = 16;
export const Q2_0: i32 = 17;

// Activation functions of the forward pass.
export const SILU: i32 = 0;
export const GELU: i32 = 1;
export const GELU_TANH: i32 = 2;
export const GELU_10: i32 = 3;
export const QUICK_GELU: i32 = 4;
export const RELU: i32 = 5;
export const RELU2: i32 = 6;

// Bytes at which the sums of a chunk lie, see kernels/types.ts.
export const SUM_ERROR: usize = 0;
export const SUM_VALUE: usize = 16;
export const SUM_STEP: usize = 32;
export const SUM_UNDERFLOW_ERROR: usize = 48;
export const SUM_MAX_ERROR: usize = 64;
export const SUM_UNDERFLOW: usize = 72;
export const SUM_CLIPPED: usize = 80;
export const SUM_BAD_SCALES: usize = 88;
export const SUM_ONE_SIGNED: usize = 96;
export const SUM_NOT_STRADDLING: usize = 104;
export const SUM_LENGTH: usize = 112;

// Bytes at which the parts of a grid lie.
export const GRID_THRESHOLDS: usize = 0;
export const GRID_LEVELS: usize = 64;
export const GRID_WIDTHS: usize = 128;
export const GRID_LEVEL_PLANES: usize = 192;
export const GRID_WIDTH_PLANES: usize = 256;
export const GRID_LENGTH: usize = 320;

// Bytes at which the parts of a choice lie.
export const CHOICE_GRID: usize = 0;
export const CHOICE_DIVISOR: usize = 4;
export const CHOICE_EXPANSION: usize = 8;
export const CHOICE_STEPS: usize = 12;
export const CHOICE_GRID_INDEX: usize = 16;
export const CHOICE_LENGTH: usize = 32;

// Weights that are summed from 0.
export const SUM_RUN: i32 = 256;

// Errors in steps beyond this count as clipped.
export const CLIPPED_STEP_ERROR: f32 = 0.5000100135803223;

/** What the host tells a call, as words in memory. */
// @ts-ignore: decorator
@unmanaged
export class Config {
  /** One of RULE_…. */
  rule: i32;
  /** Storage type of scales, one of SCALE_…. */
  dtype: i32;
  /** One of SEARCH_…. */
  search: i32;
  /** Convention (integers) or scaling (grids). */
  variant: i32;
  lowestCode: f32;
  /** Highest code; for dINT the highest integer code. */
  highestCode: f32;
  /** Zero point where it is fixed, else −1. */
  fixedZero: f32;
  /** One of TIES_…. */
  ties: i32;
  /** Denormal level of dINT. */
  special: f32;
  divisor: f32;
  /** ⌊log2 divisor⌋. */
  divisorExponent: i32;
  fractionBits: i32;
  /** Bits of 2^minExponent as f32. */
  minExponentBits: i32;
  largest: f32;
  /** Sign bit of a small float's codes. */
  signBit: i32;
  /** Whose extremes a group's range is: OWN_RANGE or WHOLE_TENSOR. */
  range: i32;
  tensorLo: f32;
  tensorHi: f32;
  /** 1: values are kept for the caller, not only their errors. */
  keepOutput: i32;
  /** Grid of at most 16 levels, see grid16.ts; 0: a small float (blocks that choose). */
  grid: usize;
  /** Choices of a block, see choice.ts. */
  choices: usize;
  choiceCount: i32;
  /** What the tensor's largest magnitude is divided by. */
  tensorDivisor: f32;
  /** Limits of a block's scale. */
  leastScale: f32;
  greatestScale: f32;
}
