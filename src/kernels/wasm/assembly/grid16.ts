import {
  Config, GRID_LEVEL_PLANES, GRID_LEVELS, GRID_WIDTH_PLANES, GRID_WIDTHS, RECIPROCAL,
} from './config';
import { divisorNegative, divisorPositive, scaleNegative, scalePositive } from './group';

// A grid of at most 16 levels lies in memory as configSchema.ts says (GRID_LAYOUT).

/** Number of thresholds below each lane: the index of its level. */
// @ts-ignore: decorator
@inline
function levelIndex(u: v128, grid: usize): v128 {
  let c = f32x4.gt(u, v128.load32_splat(grid));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 4)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 8)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 12)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 16)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 20)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 24)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 28)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 32)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 36)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 40)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 44)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 48)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 52)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 56)));
  return i32x4.neg(c);
}

/** Byte b of each of 16 floats: one of the four planes a byte shuffle can look floats up in. */
// @ts-ignore: decorator
@inline
function plane(table: usize, b: usize): v128 {
  let v = i8x16.splat(0);
  v = i8x16.replace_lane(v, 0, load<u8>(table + b));
  v = i8x16.replace_lane(v, 1, load<u8>(table + b, 4));
  v = i8x16.replace_lane(v, 2, load<u8>(table + b, 8));
  v = i8x16.replace_lane(v, 3, load<u8>(table + b, 12));
  v = i8x16.replace_lane(v, 4, load<u8>(table + b, 16));
  v = i8x16.replace_lane(v, 5, load<u8>(table + b, 20));
  v = i8x16.replace_lane(v, 6, load<u8>(table + b, 24));
  v = i8x16.replace_lane(v, 7, load<u8>(table + b, 28));
  v = i8x16.replace_lane(v, 8, load<u8>(table + b, 32));
  v = i8x16.replace_lane(v, 9, load<u8>(table + b, 36));
  v = i8x16.replace_lane(v, 10, load<u8>(table + b, 40));
  v = i8x16.replace_lane(v, 11, load<u8>(table + b, 44));
  v = i8x16.replace_lane(v, 12, load<u8>(table + b, 48));
  v = i8x16.replace_lane(v, 13, load<u8>(table + b, 52));
  v = i8x16.replace_lane(v, 14, load<u8>(table + b, 56));
  return i8x16.replace_lane(v, 15, load<u8>(table + b, 60));
}

/** Stores the four byte planes of a table of 16 floats. */
function storePlanes(table: usize, planes: usize): void {
  v128.store(planes, plane(table, 0));
  v128.store(planes, plane(table, 1), 16);
  v128.store(planes, plane(table, 2), 32);
  v128.store(planes, plane(table, 3), 48);
}

/** Once for each call, before its groups. */
export function prepareGrid16(grid: usize): void {
  storePlanes(grid + GRID_LEVELS, grid + GRID_LEVEL_PLANES);
  storePlanes(grid + GRID_WIDTHS, grid + GRID_WIDTH_PLANES);
}

// @ts-ignore: decorator
@inline
function pairLow(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
// @ts-ignore: decorator
@inline
function pairHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
// @ts-ignore: decorator
@inline
function quadLow(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
// @ts-ignore: decorator
@inline
function quadHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/** @param errors a constant: whether errors ŵ − w are stored at y instead of values, and none in steps */
// @ts-ignore: decorator
@inline
function round(errors: bool, config: Config, x: usize, y: usize, u: usize, n: i32): void {
  const grid = config.grid;
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const minusOne = f32x4.splat(-1);
  const reciprocal = config.variant == RECIPROCAL;
  const l0 = v128.load(grid, GRID_LEVEL_PLANES), l1 = v128.load(grid, GRID_LEVEL_PLANES + 16);
  const l2 = v128.load(grid, GRID_LEVEL_PLANES + 32), l3 = v128.load(grid, GRID_LEVEL_PLANES + 48);
  const scaleP = f32x4.splat(scalePositive), scaleN = f32x4.splat(scaleNegative);
  const divideP = f32x4.splat(divisorPositive), divideN = f32x4.splat(divisorNegative);
  const end = x + (<usize>n << 2);
  do {
    const a0 = v128.load(x), a1 = v128.load(x, 16), a2 = v128.load(x, 32), a3 = v128.load(x, 48);
    const n0 = f32x4.lt(a0, zero), n1 = f32x4.lt(a1, zero);
    const n2 = f32x4.lt(a2, zero), n3 = f32x4.lt(a3, zero);
    let u0: v128, u1: v128, u2: v128, u3: v128;
    if (reciprocal) {
      u0 = f32x4.pmin(f32x4.pmax(f32x4.mul(a0, divideP), minusOne), one);
      u1 = f32x4.pmin(f32x4.pmax(f32x4.mul(a1, divideP), minusOne), one);
      u2 = f32x4.pmin(f32x4.pmax(f32x4.mul(a2, divideP), minusOne), one);
      u3 = f32x4.pmin(f32x4.pmax(f32x4.mul(a3, divideP), minusOne), one);
    } else {
      u0 = f32x4.div(a0, v128.bitselect(divideN, divideP, n0));
      u1 = f32x4.div(a1, v128.bitselect(divideN, divideP, n1));
      u2 = f32x4.div(a2, v128.bitselect(divideN, divideP, n2));
      u3 = f32x4.div(a3, v128.bitselect(divideN, divideP, n3));
    }
    const index = i8x16.narrow_i16x8_s(
      i16x8.narrow_i32x4_s(levelIndex(u0, grid), levelIndex(u1, grid)),
      i16x8.narrow_i32x4_s(levelIndex(u2, grid), levelIndex(u3, grid)),
    );
    const b0 = i8x16.swizzle(l0, index), b1 = i8x16.swizzle(l1, index);
    const b2 = i8x16.swizzle(l2, index), b3 = i8x16.swizzle(l3, index);
    const low01 = pairLow(b0, b1), low23 = pairLow(b2, b3);
    const high01 = pairHigh(b0, b1), high23 = pairHigh(b2, b3);
    const v0 = quadLow(low01, low23), v1 = quadHigh(low01, low23);
    const v2 = quadLow(high01, high23), v3 = quadHigh(high01, high23);
    const q0 = f32x4.mul(v0, v128.bitselect(scaleN, scaleP, n0));
    const q1 = f32x4.mul(v1, v128.bitselect(scaleN, scaleP, n1));
    const q2 = f32x4.mul(v2, v128.bitselect(scaleN, scaleP, n2));
    const q3 = f32x4.mul(v3, v128.bitselect(scaleN, scaleP, n3));
    if (errors) {
      v128.store(y, f32x4.sub(q0, a0));
      v128.store(y, f32x4.sub(q1, a1), 16);
      v128.store(y, f32x4.sub(q2, a2), 32);
      v128.store(y, f32x4.sub(q3, a3), 48);
      x += 64;
      y += 64;
      continue;
    }
    v128.store(y, q0);
    v128.store(y, q1, 16);
    v128.store(y, q2, 32);
    v128.store(y, q3, 48);

    // The interval that a weight falls in is the one above its level, or the one below.
    const below = i8x16.narrow_i16x8_s(
      i16x8.narrow_i32x4_s(f32x4.lt(u0, v0), f32x4.lt(u1, v1)),
      i16x8.narrow_i32x4_s(f32x4.lt(u2, v2), f32x4.lt(u3, v3)),
    );
    const interval = i8x16.max_s(i8x16.add(index, below), i8x16.splat(0));
    const c0 = i8x16.swizzle(v128.load(grid, GRID_WIDTH_PLANES), interval);
    const c1 = i8x16.swizzle(v128.load(grid, GRID_WIDTH_PLANES + 16), interval);
    const c2 = i8x16.swizzle(v128.load(grid, GRID_WIDTH_PLANES + 32), interval);
    const c3 = i8x16.swizzle(v128.load(grid, GRID_WIDTH_PLANES + 48), interval);
    const cl01 = pairLow(c0, c1), cl23 = pairLow(c2, c3);
    const ch01 = pairHigh(c0, c1), ch23 = pairHigh(c2, c3);
    v128.store(u, f32x4.mul(f32x4.sub(u0, v0), quadLow(cl01, cl23)));
    v128.store(u, f32x4.mul(f32x4.sub(u1, v1), quadHigh(cl01, cl23)), 16);
    v128.store(u, f32x4.mul(f32x4.sub(u2, v2), quadLow(ch01, ch23)), 32);
    v128.store(u, f32x4.mul(f32x4.sub(u3, v3), quadHigh(ch01, ch23)), 48);
    x += 64;
    y += 64;
    u += 64;
  } while (x < end);
}

/** Any grid of at most 16 levels. Reference: byThresholds of gridGroup.ts. */
export function grid16Group(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  round(false, config, x, y, u, n);
}

/** Errors ŵ − w alone. */
export function grid16Errors(config: Config, x: usize, e: usize, n: i32): void {
  round(true, config, x, e, 0, n);
}
