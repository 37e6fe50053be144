import { findExtremes, largest, smallest, sumOfLanes } from '../lanes';
import { usable } from './emit';
import { CODES } from './scratch';

// mxfp4 and nvfp4. Reference: fp4Blocks.ts.

/** By code, twice the values of E2M1; the codes of −0 and beyond are those of negative levels. */
const LEVELS = memory.data<f32>([0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12]);
/** Half an interval beyond the outermost levels. */
const OUTSIDE: f32 = 14;

/** Inverse widths of the intervals between levels that weights fall in. */
// @ts-ignore: decorator
@inline
function inverseWidths(scaled: v128): v128 {
  const two = v128.or(f32x4.ge(scaled, f32x4.splat(4)), f32x4.lt(scaled, f32x4.splat(-4)));
  const four = v128.or(f32x4.ge(scaled, f32x4.splat(8)), f32x4.lt(scaled, f32x4.splat(-8)));
  const atLeastTwo = v128.bitselect(f32x4.splat(0.5), f32x4.splat(1), two);
  return v128.bitselect(f32x4.splat(0.25), atLeastTwo, four);
}

/**
 * Quantizes n weights, a multiple of four, with a scale: codes as bytes, values and step errors.
 * @returns all ones for each that is clipped, summed by lane
 */
function quantizePart(x: usize, y: usize, u: usize, n: i32, scale: f32, codes: usize): v128 {
  const vscale = f32x4.splat(scale), mask = usable(scale), none = f32x4.splat(-0.0);
  let clipped = i32x4.splat(0);
  const end = codes + n;
  do {
    const w = v128.load(x);
    let level = f32x4.splat(0), code = i32x4.splat(0);
    let error = f32x4.abs(f32x4.sub(f32x4.mul(level, vscale), w));
    for (let i = 1; i < 16; i++) {
      const candidate = v128.load32_splat(LEVELS + (<usize>i << 2));
      const trial = f32x4.abs(f32x4.sub(f32x4.mul(candidate, vscale), w));
      const nearer = f32x4.lt(trial, error);
      error = v128.bitselect(trial, error, nearer);
      level = v128.bitselect(candidate, level, nearer);
      code = v128.bitselect(i32x4.splat(i), code, nearer);
    }
    const words = i16x8.narrow_i32x4_s(code, code);
    v128.store32_lane(codes, i8x16.narrow_i16x8_u(words, words), 0);
    v128.store(y, f32x4.add(f32x4.mul(vscale, level), none));
    const scaled = f32x4.div(f32x4.sub(w, none), vscale);
    const step = f32x4.mul(f32x4.sub(level, scaled), inverseWidths(scaled));
    v128.store(u, v128.and(step, mask));
    const beyond = f32x4.gt(f32x4.abs(scaled), f32x4.splat(OUTSIDE));
    clipped = i32x4.add(clipped, v128.and(beyond, mask));
    x += 16;
    y += 16;
    u += 16;
    codes += 4;
  } while (codes < end);
  return clipped;
}

function largestMagnitude(x: usize, n: i32): f32 {
  findExtremes(x, n);
  return max(largest, -smallest);
}

/** ⌊log2 x⌋ of a positive f32, subnormals included. */
// @ts-ignore: decorator
@inline
function exponentOf(x: f32): i32 {
  const bits = reinterpret<u32>(x);
  return bits >= 0x800000 ? <i32>(bits >> 23) - 127 : 31 - clz<i32>(bits) - 149;
}

export function quantizeMXFP4(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  const codes = scratch + CODES;
  let clipped = i32x4.splat(0);
  do {
    const greatest = largestMagnitude(x, 32);
    // Exponents below the least one wrap around.
    const code = greatest > 0 ? (exponentOf(greatest) - 2 + 127) & 255 : 0;
    // 2^(code − 128), of which the first two are subnormal.
    const scale = reinterpret<f32>(code < 2 ? <u32>0x200000 << code : <u32>(code - 1) << 23);
    clipped = i32x4.add(clipped, quantizePart(x, y, u, 32, scale, codes));
    if (packed) {
      store<u8>(packed, code);
      const high = i16x8.shl(v128.load(codes, 16), 4);
      v128.store(packed, v128.or(v128.load(codes), high), 1);
      packed += 17;
    }
    x += 128;
    y += 128;
    u += 128;
  } while (--blocks);
  return -sumOfLanes(clipped);
}

/** Reference: ue4m3Code. */
function ue4m3Code(scale: f32): i32 {
  if (scale == 0) return 0;
  const exponent = exponentOf(scale);
  if (exponent < -6) return min(<i32>floor<f32>(scale * 512 + <f32>0.5), 7);
  // The upper three bits of the fraction, rounded; what is carried over goes to the exponent.
  const bits = reinterpret<u32>(scale);
  const code = <i32>((bits >> 20) + ((bits >> 19) & 1)) - ((127 - 7) << 3);
  return code < 0x78 ? code : 0x7e;
}

/** Reference: halfUe4m3. */
function halfUe4m3(code: i32): f32 {
  return code < 8
    ? <f32>code * <f32>0.0009765625
    : reinterpret<f32>(<u32>(code + ((127 - 8) << 3)) << 20);
}

export function quantizeNVFP4(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  const codes = scratch + CODES;
  let clipped = i32x4.splat(0);
  do {
    for (let part: usize = 0; part < 4; part++) {
      const code = ue4m3Code(largestMagnitude(x, 16) / 6);
      clipped = i32x4.add(clipped, quantizePart(x, y, u, 16, halfUe4m3(code), codes));
      if (packed) {
        store<u8>(packed + part, code);
        store<u64>(packed + 4 + part * 8, load<u64>(codes) | (load<u64>(codes, 8) << 4));
      }
      x += 64;
      y += 64;
      u += 64;
    }
    if (packed) packed += 36;
  } while (--blocks);
  return -sumOfLanes(clipped);
}
