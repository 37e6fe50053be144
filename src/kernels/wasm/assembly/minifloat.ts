import { Config, TIES_AWAY, TIES_LOWER } from './config';
import { divisorNegative, divisorPositive, scaleNegative, scalePositive } from './group';

const EXPONENT_BITS: i32 = 0x7f800000;

/**
 * Levels of a small float, found by arithmetic: the exponent gives the step, rounding the quotient
 * gives the level. Reference: byArithmetic of gridGroup.ts.
 * @param ties, errors constants at every call, so that each is a loop of its own
 * @param errors whether errors ŵ − w are stored at y instead of values, and none in steps
 */
// @ts-ignore: decorator
@inline
function round(ties: i32, errors: bool, config: Config, x: usize, y: usize, u: usize, n: i32): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const half = f32x4.splat(0.5);
  const sign = i32x4.splat(<i32>0x80000000);
  // Either of two by a mask: the first, with the bits flipped in which the second differs.
  const scaleP = f32x4.splat(scalePositive);
  const scaleFlip = v128.xor(scaleP, f32x4.splat(scaleNegative));
  const largest = f32x4.splat(config.largest);
  const smallest = f32x4.neg(largest);
  const exponentBits = i32x4.splat(EXPONENT_BITS);
  const leastBinade = i32x4.splat(config.minExponentBits);
  const greatestBinade = i32x4.splat(reinterpret<i32>(config.largest) & EXPONENT_BITS);
  const shift = config.fractionBits << 23;
  const up = i32x4.splat(shift);
  // 2^(254 − k) − bits of 2^k: the reciprocal of a power of two is a subtraction.
  const reciprocal = i32x4.splat(0x7f000000 + shift);
  const end = u + (<usize>n << 2);
  do {
    let scaled = v128.load(u);
    const negative = f32x4.lt(scaled, zero);
    // A weight of −0 counts as +0 (microxcaling); a small negative one may well become −0.
    if (ties != TIES_LOWER) scaled = f32x4.add(scaled, zero);
    const exponent = v128.and(scaled, exponentBits);
    const binade = i32x4.max_s(i32x4.min_s(exponent, greatestBinade), leastBinade);
    const inverseStep = i32x4.sub(reciprocal, binade);
    const step = i32x4.sub(binade, up);
    const quotient = f32x4.mul(scaled, inverseStep);
    let rounded = f32x4.nearest(quotient);
    if (ties == TIES_LOWER) {
      const tie = f32x4.eq(f32x4.sub(quotient, rounded), f32x4.splat(-0.5));
      rounded = f32x4.sub(rounded, v128.and(tie, one));
    } else if (ties == TIES_AWAY) {
      const tie = f32x4.eq(f32x4.abs(f32x4.sub(quotient, rounded)), half);
      const away = v128.or(f32x4.ceil(f32x4.abs(quotient)), v128.and(quotient, sign));
      rounded = v128.bitselect(away, rounded, tie);
    }
    let level = f32x4.pmin(f32x4.pmax(f32x4.mul(rounded, step), smallest), largest);
    // AFPQ's table has one zero, so −0 becomes +0; the other formats keep the sign.
    if (ties == TIES_LOWER) level = f32x4.add(level, zero);
    const value = f32x4.mul(level, v128.xor(scaleP, v128.and(negative, scaleFlip)));
    if (errors) {
      v128.store(y, f32x4.sub(value, v128.load(x)));
    } else {
      v128.store(y, value);
      v128.store(u, f32x4.mul(f32x4.sub(scaled, level), inverseStep));
    }
    x += 16;
    y += 16;
    u += 16;
  } while (u < end);
}

/** Weights divided by the scales of their signs. */
function scale(x: usize, u: usize, n: i32): void {
  const zero = f32x4.splat(0);
  const divideP = f32x4.splat(divisorPositive);
  const divideFlip = v128.xor(divideP, f32x4.splat(divisorNegative));
  const end = x + (<usize>n << 2);
  do {
    const w = v128.load(x);
    v128.store(u, f32x4.div(w, v128.xor(divideP, v128.and(f32x4.lt(w, zero), divideFlip))));
    x += 16;
    u += 16;
  } while (x < end);
}

export function minifloatGroup(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  scale(x, u, n);
  if (config.ties == TIES_LOWER) round(TIES_LOWER, false, config, x, y, u, n);
  else if (config.ties == TIES_AWAY) round(TIES_AWAY, false, config, x, y, u, n);
  else round(0, false, config, x, y, u, n);
}

/** Errors ŵ − w alone; @param u scratch for n weights. */
export function minifloatErrors(config: Config, x: usize, e: usize, u: usize, n: i32): void {
  scale(x, u, n);
  if (config.ties == TIES_LOWER) round(TIES_LOWER, true, config, x, e, u, n);
  else if (config.ties == TIES_AWAY) round(TIES_AWAY, true, config, x, e, u, n);
  else round(0, true, config, x, e, u, n);
}
