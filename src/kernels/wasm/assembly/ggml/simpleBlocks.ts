import { highest, lowest, sumOfLanes } from '../lanes';
import { emit, usable } from './emit';
import { f16Bits, f16Value } from './half';
import { bytesOf, inverseOf } from './rounding';

// q4_0, q4_1, q5_0, q5_1, q8_0: blocks of 32 weights. Reference: simpleBlocks.ts.

const SIGNED: i32 = 0;
const RANGE: i32 = 1;
const BYTES: i32 = 2;

/** The first weight of largest magnitude among 32, given the greatest and the least. */
function extremeOf(x: usize, greatest: f32, least: f32): f32 {
  if (greatest > -least) return greatest;
  if (greatest < -least) return least;
  if (greatest == 0) return 0;
  while (abs(load<f32>(x)) != greatest) x += 4;
  return load<f32>(x);
}

/** The first of the zeros among 32 weights, with its sign. */
function firstZero(x: usize): f32 {
  while (load<f32>(x) != 0) x += 4;
  return load<f32>(x);
}

/** Code (for BYTES the level) of four weights, as f32. */
// @ts-ignore: decorator
@inline
function codes(rule: i32, w: v128, min: v128, inverse: v128, bias: v128, top: v128): v128 {
  if (rule == BYTES) {
    // Half away from zero: 0.5 less half an ulp carries exactly the halves over.
    const scaled = f32x4.mul(w, inverse);
    const sign = v128.and(scaled, i32x4.splat(<i32>0x80000000));
    const almostHalf = v128.or(sign, i32x4.splat(0x3effffff));
    // Adding 0 takes the sign off −0.
    return f32x4.add(f32x4.trunc(f32x4.add(scaled, almostHalf)), f32x4.splat(0));
  }
  if (rule == RANGE) {
    const code = f32x4.floor(f32x4.add(f32x4.mul(f32x4.sub(w, min), inverse), bias));
    // This order of operands turns NaN, from ranges beyond f32, into 0.
    return f32x4.pmin(f32x4.pmax(f32x4.splat(0), code), top);
  }
  return f32x4.pmin(f32x4.floor(f32x4.add(f32x4.mul(w, inverse), bias)), top);
}

// @ts-ignore: decorator
@inline
function packNibbles(low: v128, high: v128): v128 {
  const mask = i8x16.splat(15);
  return v128.or(v128.and(low, mask), i16x8.shl(v128.and(high, mask), 4));
}

// @ts-ignore: decorator
@inline
function quantize(
  rule: i32, bits: i32, x: usize, y: usize, u: usize, blocks: i32, packed: usize,
): i32 {
  const codeTop = <f32>((1 << bits) - 1);
  const half = <f32>(1 << (bits - 1));
  const zeroCode = f32x4.splat(rule == SIGNED ? half : 0);
  const bottom = f32x4.splat(rule == SIGNED ? -half - 0.5 : rule == RANGE ? -0.5 : -127.5);
  const top = f32x4.splat(rule == SIGNED ? half - 0.5 : rule == RANGE ? codeTop + 0.5 : 127.5);
  const vtop = f32x4.splat(codeTop);
  let clipped = i32x4.splat(0);
  do {
    const a0 = v128.load(x), a1 = v128.load(x, 16), a2 = v128.load(x, 32), a3 = v128.load(x, 48);
    const a4 = v128.load(x, 64), a5 = v128.load(x, 80), a6 = v128.load(x, 96), a7 = v128.load(x, 112);
    const greatest = highest(f32x4.pmax(
      f32x4.pmax(f32x4.pmax(a0, a1), f32x4.pmax(a2, a3)),
      f32x4.pmax(f32x4.pmax(a4, a5), f32x4.pmax(a6, a7)),
    ));
    let least = lowest(f32x4.pmin(
      f32x4.pmin(f32x4.pmin(a0, a1), f32x4.pmin(a2, a3)),
      f32x4.pmin(f32x4.pmin(a4, a5), f32x4.pmin(a6, a7)),
    ));
    let exactScale: f32;
    let offset: f32 = -0.0;
    let minBits: u32 = 0;
    if (rule == SIGNED) {
      exactScale = extremeOf(x, greatest, least) / -half;
    } else if (rule == RANGE) {
      exactScale = (greatest - least) / codeTop;
      if (least == 0) least = firstZero(x);
      minBits = f16Bits(least);
      offset = f16Value(minBits);
    } else {
      exactScale = max(abs(greatest), abs(least)) / 127;
    }
    let inverse = inverseOf(exactScale);
    let bias: f32 = rule == SIGNED ? half + 0.5 : 0.5;
    if (abs(inverse) == Infinity) {
      // What C makes of a code that overflowed is 0.
      inverse = 0;
      bias = 0;
    }
    const scaleBits = f16Bits(exactScale);
    const scale = f16Value(scaleBits);
    const vmin = f32x4.splat(least), vinverse = f32x4.splat(inverse), vbias = f32x4.splat(bias);
    const c0 = codes(rule, a0, vmin, vinverse, vbias, vtop), c1 = codes(rule, a1, vmin, vinverse, vbias, vtop);
    const c2 = codes(rule, a2, vmin, vinverse, vbias, vtop), c3 = codes(rule, a3, vmin, vinverse, vbias, vtop);
    const c4 = codes(rule, a4, vmin, vinverse, vbias, vtop), c5 = codes(rule, a5, vmin, vinverse, vbias, vtop);
    const c6 = codes(rule, a6, vmin, vinverse, vbias, vtop), c7 = codes(rule, a7, vmin, vinverse, vbias, vtop);

    if (packed) {
      store<u16>(packed, scaleBits);
      const first = bytesOf(c0, c1, c2, c3), second = bytesOf(c4, c5, c6, c7);
      let at = packed + 2;
      if (rule == RANGE) {
        store<u16>(at, minBits);
        at += 2;
      }
      if (rule == BYTES) {
        v128.store(at, first);
        v128.store(at, second, 16);
        packed = at + 32;
      } else {
        if (bits == 5) {
          const upper = i8x16.bitmask(i16x8.shl(first, 3)) | (i8x16.bitmask(i16x8.shl(second, 3)) << 16);
          store<i32>(at, upper);
          at += 4;
        }
        v128.store(at, packNibbles(first, second));
        packed = at + 16;
      }
    }

    const vscale = f32x4.splat(scale), voffset = f32x4.splat(offset), mask = usable(scale);
    clipped = i32x4.sub(clipped, emitCodes(c0, a0, zeroCode, vscale, voffset, mask, bottom, top, y, u));
    clipped = i32x4.sub(clipped, emitCodes(c1, a1, zeroCode, vscale, voffset, mask, bottom, top, y + 16, u + 16));
    clipped = i32x4.sub(clipped, emitCodes(c2, a2, zeroCode, vscale, voffset, mask, bottom, top, y + 32, u + 32));
    clipped = i32x4.sub(clipped, emitCodes(c3, a3, zeroCode, vscale, voffset, mask, bottom, top, y + 48, u + 48));
    clipped = i32x4.sub(clipped, emitCodes(c4, a4, zeroCode, vscale, voffset, mask, bottom, top, y + 64, u + 64));
    clipped = i32x4.sub(clipped, emitCodes(c5, a5, zeroCode, vscale, voffset, mask, bottom, top, y + 80, u + 80));
    clipped = i32x4.sub(clipped, emitCodes(c6, a6, zeroCode, vscale, voffset, mask, bottom, top, y + 96, u + 96));
    clipped = i32x4.sub(clipped, emitCodes(c7, a7, zeroCode, vscale, voffset, mask, bottom, top, y + 112, u + 112));
    x += 128;
    y += 128;
    u += 128;
  } while (--blocks);
  return sumOfLanes(clipped);
}

// @ts-ignore: decorator
@inline
function emitCodes(
  code: v128, w: v128, zeroCode: v128, scale: v128, offset: v128, mask: v128, bottom: v128, top: v128,
  y: usize, u: usize,
): v128 {
  const scaled = f32x4.div(f32x4.sub(w, offset), scale);
  return emit(f32x4.sub(code, zeroCode), scaled, scale, offset, mask, bottom, top, y, u);
}

export function quantizeQ4_0(x: usize, y: usize, u: usize, blocks: i32, packed: usize): i32 {
  return quantize(SIGNED, 4, x, y, u, blocks, packed);
}

export function quantizeQ4_1(x: usize, y: usize, u: usize, blocks: i32, packed: usize): i32 {
  return quantize(RANGE, 4, x, y, u, blocks, packed);
}

export function quantizeQ5_0(x: usize, y: usize, u: usize, blocks: i32, packed: usize): i32 {
  return quantize(SIGNED, 5, x, y, u, blocks, packed);
}

export function quantizeQ5_1(x: usize, y: usize, u: usize, blocks: i32, packed: usize): i32 {
  return quantize(RANGE, 5, x, y, u, blocks, packed);
}

export function quantizeQ8_0(x: usize, y: usize, u: usize, blocks: i32, packed: usize): i32 {
  return quantize(BYTES, 8, x, y, u, blocks, packed);
}
