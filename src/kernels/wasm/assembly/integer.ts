import { Config, TIES_AWAY } from './config';
import { divisorPositive, scalePositive, zeroPoint } from './group';

/** 1.5·2^23: floats next to it are integers. */
export const SHIFT: f32 = 12582912;

/**
 * Integers with one scale and a zero point. Reference: integerGroup.
 * Like all group kernels: reads n weights at x, writes values at y and errors in steps at u, whole
 * vectors at a time, so up to 15 elements beyond n are read and written.
 */
export function integerGroup(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  const divisor = f32x4.splat(divisorPositive);
  const scale = f32x4.splat(scalePositive);
  const zero = f32x4.splat(zeroPoint);
  const low = f32x4.splat(config.lowestCode);
  const high = f32x4.splat(config.highestCode);
  const end = x + (<usize>n << 2);
  if (config.ties == TIES_AWAY) {
    const half = f32x4.splat(0.5);
    const sign = i32x4.splat(<i32>0x80000000);
    do {
      const w = v128.load(x);
      const scaled = f32x4.div(w, divisor);
      const magnitude = f32x4.floor(f32x4.add(f32x4.abs(scaled), half));
      const code = f32x4.add(v128.or(magnitude, v128.and(scaled, sign)), zero);
      const level = f32x4.sub(f32x4.pmin(f32x4.pmax(code, low), high), zero);
      v128.store(y, f32x4.mul(scale, level));
      v128.store(u, f32x4.sub(scaled, level));
      x += 16;
      y += 16;
      u += 16;
    } while (x < end);
    return;
  }
  // Adding 1.5·2^23 leaves integers, halves to even; clamped there, then taken back: levels.
  const shift = f32x4.splat(SHIFT);
  const bottom = f32x4.splat(SHIFT + (config.lowestCode - zeroPoint));
  const top = f32x4.splat(SHIFT + (config.highestCode - zeroPoint));
  do {
    const s0 = f32x4.div(v128.load(x), divisor);
    const s1 = f32x4.div(v128.load(x, 16), divisor);
    const c0 = f32x4.pmin(f32x4.pmax(f32x4.add(s0, shift), bottom), top);
    const c1 = f32x4.pmin(f32x4.pmax(f32x4.add(s1, shift), bottom), top);
    const l0 = f32x4.sub(c0, shift);
    const l1 = f32x4.sub(c1, shift);
    v128.store(y, f32x4.mul(scale, l0));
    v128.store(y, f32x4.mul(scale, l1), 16);
    v128.store(u, f32x4.sub(s0, l0));
    v128.store(u, f32x4.sub(s1, l1), 16);
    x += 32;
    y += 32;
    u += 32;
  } while (x < end);
}

/** Errors ŵ − w alone, halves to even; returns their squares in four f32 lanes. */
export function integerErrors(config: Config, x: usize, e: usize, n: i32): v128 {
  const divisor = f32x4.splat(divisorPositive);
  const scale = f32x4.splat(scalePositive);
  const shift = f32x4.splat(SHIFT);
  const bottom = f32x4.splat(SHIFT + (config.lowestCode - zeroPoint));
  const top = f32x4.splat(SHIFT + (config.highestCode - zeroPoint));
  let sum0 = f32x4.splat(0), sum1 = sum0;
  const end = x + (<usize>n << 2);
  do {
    const w0 = v128.load(x), w1 = v128.load(x, 16);
    const c0 = f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.div(w0, divisor), shift), bottom), top);
    const c1 = f32x4.pmin(f32x4.pmax(f32x4.add(f32x4.div(w1, divisor), shift), bottom), top);
    const e0 = f32x4.sub(f32x4.mul(scale, f32x4.sub(c0, shift)), w0);
    const e1 = f32x4.sub(f32x4.mul(scale, f32x4.sub(c1, shift)), w1);
    v128.store(e, e0);
    v128.store(e, e1, 16);
    sum0 = f32x4.add(sum0, f32x4.mul(e0, e0));
    sum1 = f32x4.add(sum1, f32x4.mul(e1, e1));
    x += 32;
    e += 32;
  } while (x < end);
  return f32x4.add(sum0, sum1);
}

/** dINT: integers and two denormal codes, the nearest wins. Reference: denormalIntegerGroup. */
export function denormalGroup(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const sign = i32x4.splat(<i32>0x80000000);
  const special = config.special;
  const vspecial = f32x4.splat(special);
  const insideWidth = f32x4.splat(<f32>1 / special);
  const outsideWidth = f32x4.splat(<f32>1 / (<f32>1 - special));
  const divisor = f32x4.splat(divisorPositive);
  const scale = f32x4.splat(scalePositive);
  const vzero = f32x4.splat(zeroPoint);
  const top = config.highestCode;
  const high = f32x4.splat(top);
  const floor = f32x4.splat(min(-zeroPoint, -special));
  const ceiling = f32x4.splat(max(top - zeroPoint, special));
  const end = x + (<usize>n << 2);
  do {
    const scaled = f32x4.div(v128.load(x), divisor);
    const code = f32x4.add(f32x4.nearest(scaled), vzero);
    const integer = f32x4.sub(f32x4.pmin(f32x4.pmax(code, zero), high), vzero);
    const denormal = v128.or(vspecial, v128.and(f32x4.lt(scaled, zero), sign));
    const nearer = f32x4.lt(
      f32x4.abs(f32x4.sub(scaled, denormal)),
      f32x4.abs(f32x4.sub(scaled, integer)),
    );
    const level = v128.bitselect(denormal, integer, nearer);
    const inside = f32x4.abs(f32x4.pmin(f32x4.pmax(scaled, floor), ceiling));
    const inverseWidth = v128.bitselect(
      insideWidth,
      v128.bitselect(outsideWidth, one, f32x4.le(inside, one)),
      f32x4.le(inside, vspecial),
    );
    v128.store(y, f32x4.mul(scale, level));
    v128.store(u, f32x4.mul(f32x4.sub(scaled, level), inverseWidth));
    x += 16;
    y += 16;
    u += 16;
  } while (x < end);
}
