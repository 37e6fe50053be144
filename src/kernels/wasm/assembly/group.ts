import {
  ABSMAX, AWQ, BY_SIGN, BY_SIGN_E5M2, Config, E4M3, E4M3_TWO_LEVEL, GPTQ_SYM, POWER_OF_TWO,
  POWER_OF_TWO_CEIL, POWER_OF_TWO_ROUND, RECIPROCAL, RULE_DENORMAL, RULE_INTEGER,
} from './config';
import { divisorOf, saturate, scaleIsBad, storeScale } from './scales';

// Parameters of the group at work. One thread, one group at a time: plain globals.
export let scalePositive: f32 = 0;
export let scaleNegative: f32 = 0;
/** What weights are divided by, or multiplied with (bitsandbytes). */
export let divisorPositive: f32 = 0;
export let divisorNegative: f32 = 0;
export let zeroPoint: f32 = 0;
export let badScale: i32 = 0;
/** Scale of the weights ≥ 0 as stored: with a scale of the tensor, the factor that multiplies it. */
export let storedScale: f32 = 0;

/**
 * Makes the loops give levels instead of values, until the next group is prepared: what weights are
 * divided by stays.
 */
export function useUnitScales(): void {
  scalePositive = 1;
  scaleNegative = 1;
}

/** ⌊log2 x⌋ of a positive f32, subnormals included. */
function binaryExponent(x: f32): i32 {
  const bits = reinterpret<u32>(x);
  return bits >= 0x800000 ? <i32>(bits >> 23) - 127 : 31 - clz<i32>(bits) - 149;
}

/** 2^e for −127 ≤ e ≤ 127. */
function powerOfTwo(e: i32): f32 {
  return reinterpret<f32>(e > -127 ? <u32>(e + 127) << 23 : 0x400000);
}

/** Nearest E4M3 value of 0 … 448, ties to even. */
function roundToE4M3(x: f32): f32 {
  const step = powerOfTwo(max(binaryExponent(x), -6) - 3);
  return min(nearest<f32>(x / step) * step, 448);
}

/** Reference: e5m2Scale of gridGroup.ts. */
function e5m2Scale(extreme: f32, divisor: f32): f32 {
  let scale = abs(extreme) / divisor;
  if (scale == 0) scale = 1;
  const step = powerOfTwo(max(binaryExponent(scale), -14) - 2);
  const quotient = scale / step;
  const rounded = nearest<f32>(quotient);
  // Halfway goes away from zero.
  return min((quotient - rounded == 0.5 ? rounded + 1 : rounded) * step, 57344);
}

/** Reference: powerOfTwoScale of gridGroup.ts. */
function powerOfTwoScale(config: Config, largest: f32): f32 {
  const binade = binaryExponent(largest);
  let exponent = binade - config.divisorExponent;
  // Of subnormal numbers the exponent is at its limit in any case.
  const fraction = reinterpret<f32>((reinterpret<u32>(largest) & 0x7fffff) | 0x3f800000);
  if (config.variant == POWER_OF_TWO_CEIL) {
    const divisor = reinterpret<u32>(config.divisor);
    exponent += <i32>(fraction > reinterpret<f32>((divisor & 0x7fffff) | 0x3f800000));
  } else if (config.variant == POWER_OF_TWO_ROUND) {
    exponent += <i32>(fraction >= 1.75);
  }
  return powerOfTwo(min(max(exponent, -127), 127));
}

// @ts-ignore: decorator
@inline
function setBoth(scale: f32): void {
  storedScale = scale;
  scalePositive = scale;
  scaleNegative = scale;
  divisorPositive = divisorOf(scale);
  divisorNegative = divisorPositive;
}

// @ts-ignore: decorator
@inline
function storeBoth(scale: f32, dtype: i32): void {
  setBoth(storeScale(scale, dtype));
  badScale = scaleIsBad(scale, scalePositive, dtype);
}

/** Integers: reference `parameters` of integerGroup.ts. */
function prepareInteger(config: Config, lo: f32, hi: f32): void {
  const variant = config.variant;
  const top = config.highestCode;
  if (variant == AWQ) {
    storeBoth(max(hi - lo, <f32>1e-5) / top, config.dtype);
    zeroPoint = min(max(-nearest<f32>(lo / divisorPositive), 0), top) + 0;
    return;
  }
  if (variant == ABSMAX) {
    storeBoth(max(max(-lo, hi), <f32>1e-5) / top, config.dtype);
    zeroPoint = 0;
    return;
  }
  if (lo == 0 && hi == 0) {
    lo = -1;
    hi = 1;
  }
  if (variant == GPTQ_SYM) {
    const largest = max(-lo, hi);
    storeBoth((lo < 0 ? largest + largest : largest) / top, config.dtype);
    zeroPoint = config.fixedZero;
    return;
  }
  storeBoth((hi - lo) / top, config.dtype);
  zeroPoint = min(max(nearest<f32>(-lo / divisorPositive), 0), top);
}

/** dINT: reference denormalIntegerGroup. */
function prepareDenormal(config: Config, lo: f32, hi: f32): void {
  const top = config.highestCode;
  const symmetric = config.fixedZero >= 0;
  const span: f64 = symmetric ? 2 * <f64>max(hi, -lo) : <f64>hi - <f64>lo;
  storeBoth(<f32>(span / <f64>top), config.dtype);
  zeroPoint = symmetric
    ? config.fixedZero
    : min(max(nearest<f32>(-lo / divisorPositive), 0), top);
}

/** Grids: reference scalesOf of gridGroup.ts. */
function prepareGrid(config: Config, lo: f32, hi: f32): void {
  const largest = max(hi, -lo);
  const divisor = config.divisor;
  const variant = config.variant;
  if (variant == BY_SIGN) {
    const exactNegative: f32 = (<f32>0 - lo) / divisor;
    storeBoth(hi / divisor, config.dtype);
    scaleNegative = storeScale(exactNegative, config.dtype);
    divisorNegative = divisorOf(scaleNegative);
    badScale |= scaleIsBad(exactNegative, scaleNegative, config.dtype);
  } else if (variant == BY_SIGN_E5M2) {
    setBoth(e5m2Scale(hi, divisor));
    scaleNegative = e5m2Scale(lo, divisor);
    divisorNegative = divisorOf(scaleNegative);
  } else if (variant == POWER_OF_TWO || variant == POWER_OF_TWO_CEIL || variant == POWER_OF_TWO_ROUND) {
    setBoth(powerOfTwoScale(config, largest));
  } else if (variant == E4M3 || variant == E4M3_TWO_LEVEL) {
    const tensorLargest = max(config.tensorHi, -config.tensorLo);
    const tensorScale: f32 = variant == E4M3 ? 1 : tensorLargest / (448 * divisor);
    const wanted = largest / divisor / divisorOf(tensorScale);
    const block = roundToE4M3(min(max(wanted, <f32>0.015625), 448));
    setBoth(saturate(tensorScale * block));
    storedScale = block;
  } else if (variant == RECIPROCAL) {
    setBoth(largest);
    divisorPositive = <f32>1 / max(largest, <f32>1e-38);
    divisorNegative = divisorPositive;
  } else {
    storeBoth(largest / divisor, config.dtype);
  }
}

/** Code of a number of E4M3 ≥ 0. */
function e4m3Code(scale: f32): i32 {
  return scale < <f32>0.015625 ? <i32>(scale * 512) : <i32>(reinterpret<u32>(scale) >> 20) - (120 << 3);
}

/** The number of a code of E4M3. */
function e4m3Value(code: i32): f32 {
  return code < 8 ? <f32>code / 512 : reinterpret<f32>(<u32>(code + (120 << 3)) << 20);
}

/**
 * Sets the parameters of a block: the number of E4M3 nearest to `wanted`, or `steps` above that.
 * Reference: blockScale.
 */
export function prepareBlock(config: Config, wanted: f32, steps: i32, tensorScale: f32): void {
  badScale = 0;
  let block = roundToE4M3(min(max(wanted, config.leastScale), config.greatestScale));
  if (steps != 0) block = e4m3Value(min(max(e4m3Code(block) + steps, 1), 126));
  setBoth(saturate(tensorScale * block));
  storedScale = block;
}

/** True where ranges need not hold zero. Reference: rangeExcludesZero. */
export function rangeExcludesZero(config: Config): bool {
  return config.rule == RULE_INTEGER
    ? config.variant == AWQ
    : config.rule != RULE_DENORMAL && config.variant == BY_SIGN_E5M2;
}

/** Sets the parameters of a group with this range. Reference: groupQuantizer. */
export function prepareGroup(config: Config, lo: f32, hi: f32): void {
  badScale = 0;
  if (config.rule == RULE_INTEGER) {
    prepareInteger(config, lo, hi);
    return;
  }
  const variant = config.variant;
  const emptyAsItIs = variant == BY_SIGN_E5M2 || variant == E4M3 || variant == E4M3_TWO_LEVEL
    || variant == RECIPROCAL;
  if (lo == 0 && hi == 0 && (config.rule == RULE_DENORMAL || !emptyAsItIs)) {
    lo = -1;
    hi = 1;
  }
  if (config.rule == RULE_DENORMAL) prepareDenormal(config, lo, hi);
  else prepareGrid(config, lo, hi);
}
