// What the host tells a quantize call, as words in memory; `kernelConfig.ts` writes it.

export const RULE_INTEGER: i32 = 0;
export const RULE_DENORMAL: i32 = 1;
export const RULE_GRID16: i32 = 2;
export const RULE_MINIFLOAT: i32 = 3;

export const GPTQ_ASYM: i32 = 0;
export const GPTQ_SYM: i32 = 1;
export const AWQ: i32 = 2;
export const ABSMAX: i32 = 3;

export const SHARED: i32 = 0;
export const BY_SIGN: i32 = 1;
export const POWER_OF_TWO: i32 = 2;
export const E4M3_TWO_LEVEL: i32 = 3;
export const E4M3: i32 = 4;
export const RECIPROCAL: i32 = 5;

export const SEARCH_MSE: i32 = 1;
export const SEARCH_CLIP: i32 = 2;

export const TIES_LOWER: i32 = 1;
export const TIES_AWAY: i32 = 2;

/** Whose extremes a group's range is. */
export const WHOLE_TENSOR: i32 = 1;

// @ts-ignore: decorator
@unmanaged
export class Config {
  rule: i32;
  /** Code of the scale type, see scales.ts. */
  dtype: i32;
  search: i32;
  /** Convention (integers) or scaling (grids). */
  variant: i32;
  lowestCode: f32;
  /** Highest code; for dINT the highest integer code. */
  highestCode: f32;
  /** Zero point where it is fixed, else −1. */
  fixedZero: f32;
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
  range: i32;
  tensorLo: f32;
  tensorHi: f32;
  /** 1: values are kept for the caller, not only their errors. */
  keepOutput: i32;
  /** Grid of at most 16 levels, see grid16.ts. */
  grid: usize;
}
