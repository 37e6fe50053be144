import { TIES_AWAY, TIES_LOWER } from '../config';
import { loadPart, storePart } from './lanes';

const EXPONENT_BITS: i32 = 0x7f800000;

/** Bits of the largest magnitude of n floats; those of NaN are above those of infinity. */
function largestMagnitude(p: usize, n: i32): i32 {
  const magnitude = i32x4.splat(0x7fffffff);
  let most = i32x4.splat(0);
  const wide = p + (<usize>(n & ~3) << 2);
  for (; p < wide; p += 16) most = i32x4.max_s(most, v128.and(v128.load(p), magnitude));
  const rest = n & 3;
  if (rest) most = i32x4.max_s(most, v128.and(loadPart(p, rest), magnitude));
  most = i32x4.max_s(most, v128.shuffle<u32>(most, most, 2, 3, 0, 1));
  most = i32x4.max_s(most, v128.shuffle<u32>(most, most, 1, 0, 3, 2));
  return i32x4.extract_lane(most, 0);
}

/** The level of a small float nearest to each lane: the exponent gives the step, see minifloat.ts. */
// @ts-ignore: decorator
@inline
function level(ties: i32, v: v128, fractionBits: i32, minExponent: i32, largest: f32): v128 {
  const shift = fractionBits << 23;
  const most = f32x4.splat(largest);
  const exponent = v128.and(v, i32x4.splat(EXPONENT_BITS));
  const greatest = i32x4.splat(reinterpret<i32>(largest) & EXPONENT_BITS);
  const binade = i32x4.max_s(i32x4.min_s(exponent, greatest), i32x4.splat((minExponent + 127) << 23));
  // 2^(254 − k) − bits of 2^k: the reciprocal of a power of two is a subtraction.
  const quotient = f32x4.mul(v, i32x4.sub(i32x4.splat(0x7f000000 + shift), binade));
  let rounded = f32x4.nearest(quotient);
  if (ties == TIES_LOWER) {
    const tie = f32x4.eq(f32x4.sub(quotient, rounded), f32x4.splat(-0.5));
    rounded = f32x4.sub(rounded, v128.and(tie, f32x4.splat(1)));
  } else if (ties == TIES_AWAY) {
    const tie = f32x4.eq(f32x4.abs(f32x4.sub(quotient, rounded)), f32x4.splat(0.5));
    const sign = v128.and(quotient, i32x4.splat(<i32>0x80000000));
    rounded = v128.bitselect(v128.or(f32x4.ceil(f32x4.abs(quotient)), sign), rounded, tie);
  }
  const value = f32x4.mul(rounded, i32x4.sub(binade, i32x4.splat(shift)));
  const clamped = f32x4.pmin(f32x4.pmax(value, f32x4.neg(most)), most);
  // A table of levels with this rule has one zero.
  return ties == TIES_LOWER ? f32x4.add(clamped, f32x4.splat(0)) : clamped;
}

/** A row of n floats at p as levels times the scale. @param ties constant at every call */
// @ts-ignore: decorator
@inline
function roundRow(
  ties: i32, p: usize, n: i32, fractionBits: i32, minExponent: i32, largest: f32, scale: f32,
  target: usize,
): void {
  const s = f32x4.splat(scale);
  const wide = p + (<usize>(n & ~3) << 2);
  for (; p < wide; p += 16, target += 16) {
    const v = level(ties, f32x4.div(v128.load(p), s), fractionBits, minExponent, largest);
    v128.store(target, f32x4.mul(v, s));
  }
  const rest = n & 3;
  if (rest) {
    const v = level(ties, f32x4.div(loadPart(p, rest), s), fractionBits, minExponent, largest);
    storePart(target, f32x4.mul(v, s), rest);
  }
}

/** The same with a scale for each column; where it is 0, so is the result. */
// @ts-ignore: decorator
@inline
function roundColumns(
  ties: i32, p: usize, n: i32, fractionBits: i32, minExponent: i32, largest: f32, scales: usize,
  target: usize,
): void {
  const wide = p + (<usize>(n & ~3) << 2);
  for (; p < wide; p += 16, scales += 16, target += 16) {
    const s = v128.load(scales);
    const v = level(ties, f32x4.div(v128.load(p), s), fractionBits, minExponent, largest);
    v128.store(target, v128.and(f32x4.mul(v, s), f32x4.ne(s, f32x4.splat(0))));
  }
  const rest = n & 3;
  if (rest) {
    const s = loadPart(scales, rest);
    const v = level(ties, f32x4.div(loadPart(p, rest), s), fractionBits, minExponent, largest);
    storePart(target, v128.and(f32x4.mul(v, s), f32x4.ne(s, f32x4.splat(0))), rest);
  }
}

function fillRow(target: usize, n: i32, value: f32): void {
  const end = target + (<usize>n << 2);
  for (; target < end; target += 4) store<f32>(target, value);
}

/**
 * level(x / scale)·scale per row. Strides in floats.
 * @param scale negative: that of each row's largest magnitude
 * @param scales of the columns, in place of one; 0: none
 */
export function roundRows(
  source: usize, stride: i32, rows: i32, columns: i32, fractionBits: i32, minExponent: i32, largest: f32,
  ties: i32, scale: f32, scales: usize, target: usize, targetStride: i32,
): void {
  for (let row = 0; row < rows; row++) {
    let s = scale, isFinite = true;
    if (s < 0 && !scales) {
      const most = largestMagnitude(source, columns);
      isFinite = most < EXPONENT_BITS;
      s = reinterpret<f32>(most) / largest;
    }
    if (scales) {
      if (ties == TIES_LOWER) {
        roundColumns(TIES_LOWER, source, columns, fractionBits, minExponent, largest, scales, target);
      } else if (ties == TIES_AWAY) {
        roundColumns(TIES_AWAY, source, columns, fractionBits, minExponent, largest, scales, target);
      } else {
        roundColumns(0, source, columns, fractionBits, minExponent, largest, scales, target);
      }
    } else if (!isFinite) fillRow(target, columns, NaN);
    else if (s == 0) fillRow(target, columns, 0);
    else if (ties == TIES_LOWER) {
      roundRow(TIES_LOWER, source, columns, fractionBits, minExponent, largest, s, target);
    } else if (ties == TIES_AWAY) {
      roundRow(TIES_AWAY, source, columns, fractionBits, minExponent, largest, s, target);
    } else {
      roundRow(0, source, columns, fractionBits, minExponent, largest, s, target);
    }
    source += <usize>stride << 2;
    target += <usize>targetStride << 2;
  }
}
