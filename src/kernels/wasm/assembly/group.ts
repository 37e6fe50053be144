import {
  ABSMAX, AWQ, BY_SIGN, Config, E4M3, E4M3_TWO_LEVEL, GPTQ_SYM, POWER_OF_TWO, RECIPROCAL,
  RULE_DENORMAL, RULE_INTEGER,
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

/** Nearest E4M3 value of 2^−6 … 448, ties to even. */
function roundToE4M3(x: f32): f32 {
  const step = powerOfTwo(max(binaryExponent(x), -6) - 3);
  return min(nearest<f32>(x / step) * step, 448);
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
  } else if (variant == POWER_OF_TWO) {
    const exponent = binaryExponent(largest) - config.divisorExponent;
    setBoth(powerOfTwo(min(max(exponent, -127), 127)));
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

/** Sets the parameters of a group with this range. Reference: groupQuantizer. */
export function prepareGroup(config: Config, lo: f32, hi: f32): void {
  badScale = 0;
  if (config.rule == RULE_INTEGER) {
    prepareInteger(config, lo, hi);
    return;
  }
  const variant = config.variant;
  const emptyAsItIs = variant == E4M3 || variant == E4M3_TWO_LEVEL || variant == RECIPROCAL;
  if (lo == 0 && hi == 0 && (config.rule == RULE_DENORMAL || !emptyAsItIs)) {
    lo = -1;
    hi = 1;
  }
  if (config.rule == RULE_DENORMAL) prepareDenormal(config, lo, hi);
  else prepareGrid(config, lo, hi);
}
