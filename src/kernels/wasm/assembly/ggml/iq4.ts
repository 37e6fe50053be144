import { sumOfLanes } from '../lanes';
import { usable } from './emit';
import { doubled, floatsOf, intervals, levelHalves, nearestCodes, widthHalves } from './grid';
import { f16Bits, f16Value } from './half';
import { inverseOf, nearestInteger } from './rounding';
import { CODES, interleave, interleaveFour, SCALES, WEIGHTS } from './scratch';
import { searchGrid } from './searchGrid';

// iq4_nl (blocks of 32) and iq4_xs (super-blocks of eight such). Reference: iq4.ts.

/** Half an interval beyond the outermost levels. */
const BOTTOM: f32 = -138.5;
const TOP: f32 = 125;

/** Values and step errors of four weights; all ones where clipped. */
// @ts-ignore: decorator
@inline
function emitLevels(
  level: v128, scaled: v128, width: v128, scale: v128, mask: v128, y: usize, u: usize,
): v128 {
  v128.store(y, f32x4.mul(level, scale));
  v128.store(u, v128.and(f32x4.div(f32x4.sub(level, scaled), width), mask));
  return v128.and(
    v128.or(f32x4.gt(scaled, f32x4.splat(TOP)), f32x4.lt(scaled, f32x4.splat(BOTTOM))), mask,
  );
}

/**
 * Codes of 32 weights as the levels nearest to inverse·w, 32 bytes at `codes`; values and step
 * errors with the scale as stored.
 * @returns counts of clipped weights, by lane
 */
function finishBlock(x: usize, y: usize, u: usize, inverse: f32, scale: f32, codes: usize): v128 {
  const vinverse = f32x4.splat(inverse), vscale = f32x4.splat(scale), mask = usable(scale);
  let clipped = i32x4.splat(0);
  const end = x + 128;
  do {
    const a0 = v128.load(x), a1 = v128.load(x, 16), a2 = v128.load(x, 32), a3 = v128.load(x, 48);
    const code = nearestCodes(
      doubled(f32x4.mul(vinverse, a0)), doubled(f32x4.mul(vinverse, a1)),
      doubled(f32x4.mul(vinverse, a2)), doubled(f32x4.mul(vinverse, a3)),
    );
    v128.store(codes, code);
    const s0 = f32x4.div(a0, vscale), s1 = f32x4.div(a1, vscale);
    const s2 = f32x4.div(a2, vscale), s3 = f32x4.div(a3, vscale);
    const interval = intervals(doubled(s0), doubled(s1), doubled(s2), doubled(s3));
    let levels = levelHalves(false, code), widths = widthHalves(false, interval);
    clipped = i32x4.sub(clipped, emitLevels(
      floatsOf(false, levels), s0, floatsOf(false, widths), vscale, mask, y, u,
    ));
    clipped = i32x4.sub(clipped, emitLevels(
      floatsOf(true, levels), s1, floatsOf(true, widths), vscale, mask, y + 16, u + 16,
    ));
    levels = levelHalves(true, code);
    widths = widthHalves(true, interval);
    clipped = i32x4.sub(clipped, emitLevels(
      floatsOf(false, levels), s2, floatsOf(false, widths), vscale, mask, y + 32, u + 32,
    ));
    clipped = i32x4.sub(clipped, emitLevels(
      floatsOf(true, levels), s3, floatsOf(true, widths), vscale, mask, y + 48, u + 48,
    ));
    x += 64;
    y += 64;
    u += 64;
    codes += 16;
  } while (x < end);
  return clipped;
}

/** Two codes 16 apart share a byte. */
// @ts-ignore: decorator
@inline
function packBlock(codes: usize, bytes: usize): void {
  v128.store(bytes, v128.or(v128.load(codes), i16x8.shl(v128.load(codes, 16), 4)));
}

export function quantizeIQ4_NL(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  let clipped = i32x4.splat(0);
  do {
    const count = min(blocks, 4);
    // Beyond the last block its weights stand in; their results are not looked at.
    interleave(
      x, x + (<usize>min(1, count - 1) << 7), x + (<usize>min(2, count - 1) << 7),
      x + (<usize>(count - 1) << 7), 32, scratch + WEIGHTS,
    );
    searchGrid(scratch, scratch);
    for (let block: usize = 0; block < <usize>count; block++) {
      const scale = load<f32>(scratch + (block << 2), SCALES);
      const bits = f16Bits(scale);
      const finished = finishBlock(x, y, u, inverseOf(scale), f16Value(bits), scratch + CODES);
      clipped = i32x4.add(clipped, finished);
      if (packed) {
        store<u16>(packed, bits);
        packBlock(scratch + CODES, packed + 2);
        packed += 18;
      }
      x += 128;
      y += 128;
      u += 128;
    }
    blocks -= count;
  } while (blocks);
  return sumOfLanes(clipped);
}

export function quantizeIQ4_XS(
  x: usize, y: usize, u: usize, blocks: i32, packed: usize, scratch: usize,
): i32 {
  let clipped = i32x4.splat(0);
  do {
    interleaveFour(x, 32, scratch + WEIGHTS);
    searchGrid(scratch, scratch);
    interleaveFour(x + 512, 32, scratch + WEIGHTS);
    searchGrid(scratch, scratch + 16);
    let extreme: f32 = 0;
    for (let i: usize = 0; i < 32; i += 4) {
      const scale = load<f32>(scratch + i, SCALES);
      extreme = abs(scale) > abs(extreme) ? scale : extreme;
    }
    const unit = -extreme / <f32>32;
    const unitBits = f16Bits(unit);
    const storedUnit = f16Value(unitBits);
    const inverse = inverseOf(unit);
    let low: u32 = 0, high: u32 = 0;
    for (let i = 0; i < 8; i++) {
      const scale = load<f32>(scratch + (<usize>i << 2), SCALES);
      const level = min(max(nearestInteger(inverse * scale), -32), 31);
      // The codes come from the unit as it was before rounding to F16.
      const codeInverse = inverseOf(unit * <f32>level);
      const finished = finishBlock(
        x, y, u, codeInverse, storedUnit * <f32>level, scratch + CODES,
      );
      clipped = i32x4.add(clipped, finished);
      low |= <u32>((level + 32) & 15) << (4 * i);
      high |= <u32>((level + 32) >> 4) << (2 * i);
      if (packed) packBlock(scratch + CODES, packed + 8 + (<usize>i << 4));
      x += 128;
      y += 128;
      u += 128;
    }
    if (packed) {
      store<u16>(packed, unitBits);
      store<u16>(packed, high, 2);
      store<u32>(packed, low, 4);
      packed += 136;
    }
  } while (--blocks);
  return sumOfLanes(clipped);
}
