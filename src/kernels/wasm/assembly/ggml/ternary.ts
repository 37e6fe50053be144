import { findExtremes, largest, smallest, sumOfLanes } from '../lanes';
import { emit, usable } from './emit';
import { f16Bits, f16Value } from './half';
import { packTwoBits } from './packCodes';
import { inverseOf } from './rounding';
import { CODES } from './scratch';

// tq1_0, tq2_0, q1_0 and q2_0. Reference: ternary.ts.

/** Scale as stored, of the block at work. */
let scaleBits: u32 = 0;

/**
 * Codes of n weights by their largest magnitude, as bytes, with values and step errors.
 * @param top half a step beyond the highest level
 * @param overflown the code of weights so small that the inverse of the largest overflows
 * @returns all ones for each that is clipped, summed by lane
 */
// @ts-ignore: decorator
@inline
function quantizeTernary(
  x: usize, y: usize, u: usize, n: i32, top: f32, overflown: i32, codes: usize,
): v128 {
  findExtremes(x, n);
  const greatest = max(largest, -smallest);
  scaleBits = f16Bits(greatest);
  const scale = f16Value(scaleBits);
  let inverse = inverseOf(greatest);
  let shift: f32 = 0;
  if (inverse == Infinity) {
    inverse = 0;
    shift = <f32>(overflown - 1);
  }
  const vinverse = f32x4.splat(inverse), vshift = f32x4.splat(shift);
  const vscale = f32x4.splat(scale), none = f32x4.splat(-0.0), mask = usable(scale);
  const vbottom = f32x4.splat(-1.5), vtop = f32x4.splat(top);
  const signBit = i32x4.splat(<i32>0x80000000), almostHalf = i32x4.splat(0x3effffff);
  let clipped = i32x4.splat(0);
  const end = codes + n;
  do {
    const w = v128.load(x);
    const quotient = f32x4.mul(w, vinverse);
    // Half away from zero: 0.5 less half an ulp carries exactly the halves over. Adding 0 takes the sign off −0.
    const half = v128.or(v128.and(quotient, signBit), almostHalf);
    const level = f32x4.add(f32x4.trunc(f32x4.add(quotient, half)), vshift);
    const words = i32x4.add(i32x4.trunc_sat_f32x4_s(level), i32x4.splat(1));
    const shorts = i16x8.narrow_i32x4_s(words, words);
    v128.store32_lane(codes, i8x16.narrow_i16x8_u(shorts, shorts), 0);
    const scaled = f32x4.div(f32x4.sub(w, none), vscale);
    clipped = i32x4.add(clipped, emit(level, scaled, vscale, none, mask, vbottom, vtop, y, u));
    x += 16;
    y += 16;
    u += 16;
    codes += 4;
  } while (codes < end);
  return clipped;
}

export function quantizeTQ2_0(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  const codes = scratch + CODES;
  let clipped = i32x4.splat(0);
  do {
    clipped = i32x4.add(clipped, quantizeTernary(x, y, u, 256, 1.5, 1, codes));
    if (packed) {
      packTwoBits(codes, 0, packed);
      store<u16>(packed, scaleBits, 64);
      packed += 66;
    }
    x += 1024;
    y += 1024;
    u += 1024;
  } while (--blocks);
  return -sumOfLanes(clipped);
}

/** Bytes of five digits of base 3 each, which lie `bytes` apart. */
function packDigits(codes: usize, bytes: usize, digits: i32, packed: usize): void {
  for (let i: usize = 0; i < bytes; i++) {
    let number: u32 = 0;
    let at = codes + i;
    for (let digit = 0; digit < 5; digit++) {
      number = number * 3 + (digit < digits ? load<u8>(at) : 0);
      at += bytes;
    }
    store<u8>(packed + i, (number * 256 + 242) / 243);
  }
}

export function quantizeTQ1_0(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  const codes = scratch + CODES;
  let clipped = i32x4.splat(0);
  do {
    clipped = i32x4.add(clipped, quantizeTernary(x, y, u, 256, 1.5, 1, codes));
    if (packed) {
      packDigits(codes, 32, 5, packed);
      packDigits(codes + 160, 16, 5, packed + 32);
      packDigits(codes + 240, 4, 4, packed + 48);
      store<u16>(packed, scaleBits, 52);
      packed += 54;
    }
    x += 1024;
    y += 1024;
    u += 1024;
  } while (--blocks);
  return -sumOfLanes(clipped);
}

export function quantizeQ2_0(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  const codes = scratch + CODES;
  let clipped = i32x4.splat(0);
  do {
    clipped = i32x4.add(clipped, quantizeTernary(x, y, u, 64, 2.5, 0, codes));
    if (packed) {
      store<u16>(packed, scaleBits);
      for (let i: usize = 0; i < 16; i++) {
        const four = load<u32>(codes + (i << 2));
        store<u8>(packed + i, four | (four >> 6) | (four >> 12) | (four >> 18), 2);
      }
      packed += 18;
    }
    x += 256;
    y += 256;
    u += 256;
  } while (--blocks);
  return -sumOfLanes(clipped);
}

export function quantizeQ1_0(x: usize, y: usize, u: usize, blocks: i32, packed: usize): i32 {
  const zero = f32x4.splat(0), one = f32x4.splat(1), minusOne = f32x4.splat(-1);
  const none = f32x4.splat(-0.0), half = f32x4.splat(0.5);
  const bottom = f32x4.splat(-2), top = f32x4.splat(2);
  let clipped = i32x4.splat(0);
  do {
    // In the order of the weights, as ggml adds.
    let sum: f32 = 0;
    for (let i: usize = 0; i < 512; i += 4) sum += abs(load<f32>(x + i));
    const bits = f16Bits(sum / 128);
    const scale = f16Value(bits);
    const vscale = f32x4.splat(scale), mask = usable(scale);
    if (packed) store<u16>(packed, bits);
    for (let i: usize = 0; i < 16; i++) {
      let signs: i32 = 0;
      for (let part = 0; part < 2; part++) {
        const w = v128.load(x);
        const positive = f32x4.ge(w, zero);
        const scaled = f32x4.div(f32x4.sub(w, none), vscale);
        const level = v128.bitselect(one, minusOne, positive);
        clipped = i32x4.add(clipped, emit(level, scaled, vscale, none, mask, bottom, top, y, u));
        // Levels are two apart.
        v128.store(u, f32x4.mul(v128.load(u), half));
        signs |= i32x4.bitmask(positive) << (part << 2);
        x += 16;
        y += 16;
        u += 16;
      }
      if (packed) store<u8>(packed + i, signs, 2);
    }
    if (packed) packed += 18;
  } while (--blocks);
  return -sumOfLanes(clipped);
}
