import { Config, GRID_LEVELS, RULE_CHOICE, RULE_DENORMAL, RULE_GRID16, RULE_INTEGER, WHOLE_TENSOR } from './config';
import { gridIndex } from './choice';
import { rangeExcludesZero, scaleNegative, storedScale, useUnitScales, zeroPoint } from './group';
import { findExtremes, largest, smallest } from './lanes';
import { fitRange, prepareCall, quantizeGroup } from './quantize';

// What a file holds of a chunk. The loops of quantizing, with scales of 1, give each weight's level;
// here levels become codes. Reference: encodeChunk.

/** Stores four codes of at most 255 as bytes. */
// @ts-ignore: decorator
@inline
function storeCodes(codes: usize, four: v128): void {
  const words = i16x8.narrow_i32x4_u(four, four);
  v128.store32_lane(codes, i8x16.narrow_i16x8_u(words, words), 0);
}

/** Integers count from the zero point. */
function integerCodes(level: usize, n: i32, codes: usize, zero: f32): void {
  const vzero = f32x4.splat(zero);
  const end = codes + n;
  do {
    storeCodes(codes, i32x4.trunc_sat_f32x4_s(f32x4.add(v128.load(level), vzero)));
    level += 16;
    codes += 4;
  } while (codes < end);
}

/** dINT: the two codes above the highest integer are +special and −special. */
function denormalCodes(config: Config, level: usize, n: i32, codes: usize): void {
  const vzero = f32x4.splat(zeroPoint);
  const special = f32x4.splat(config.special), opposite = f32x4.splat(-config.special);
  const top = <i32>config.highestCode;
  const specialCode = i32x4.splat(top + 1), oppositeCode = i32x4.splat(top + 2);
  const end = codes + n;
  do {
    const l = v128.load(level);
    let code = i32x4.trunc_sat_f32x4_s(f32x4.add(l, vzero));
    code = v128.bitselect(specialCode, code, f32x4.eq(l, special));
    code = v128.bitselect(oppositeCode, code, f32x4.eq(l, opposite));
    storeCodes(codes, code);
    level += 16;
    codes += 4;
  } while (codes < end);
}

/** Sign, exponent and fraction of a small float, out of those of the f32. */
function minifloatCodes(config: Config, level: usize, n: i32, codes: usize): void {
  const fractionBits = config.fractionBits;
  const leastBits = config.minExponentBits;
  // Below 2^minExponent the steps stay what they are there, and codes count them.
  const least = i32x4.splat(leastBits);
  const inverseStep = i32x4.splat(0x7f000000 - leastBits + (fractionBits << 23));
  // From there on the f32's own upper bits count, from exponent 1.
  const dropped = 23 - fractionBits;
  const base = i32x4.splat((leastBits - 0x800000) >> dropped);
  const signBit = i32x4.splat(config.signBit);
  const end = codes + n;
  do {
    const l = v128.load(level);
    const magnitude = f32x4.abs(l);
    const subnormal = i32x4.trunc_sat_f32x4_s(f32x4.mul(magnitude, inverseStep));
    const normal = i32x4.sub(i32x4.shr_u(magnitude, dropped), base);
    const code = v128.bitselect(subnormal, normal, f32x4.lt(magnitude, least));
    storeCodes(codes, v128.or(code, v128.and(i32x4.shr_s(l, 31), signBit)));
    level += 16;
    codes += 4;
  } while (codes < end);
}

/** Number of levels below each one: its place in the grid. */
function gridCodes(grid: usize, level: usize, n: i32, codes: usize): void {
  const levels = grid + GRID_LEVELS;
  const end = codes + n;
  do {
    const l = v128.load(level);
    let below = i32x4.splat(0);
    for (let i: usize = 0; i < 60; i += 4) {
      below = i32x4.sub(below, f32x4.lt(v128.load32_splat(levels + i), l));
    }
    storeCodes(codes, below);
    level += 16;
    codes += 4;
  } while (codes < end);
}

/** Parameters of n weights at x, as quantizeChunk finds them; y and u are scratch. */
function fitGroup(config: Config, x: usize, y: usize, u: usize, n: i32): void {
  const tensor = config.range == WHOLE_TENSOR;
  if (!tensor) findExtremes(x, n);
  const low = tensor ? config.tensorLo : smallest;
  const high = tensor ? config.tensorHi : largest;
  const withoutZero = rangeExcludesZero(config);
  const lo: f32 = withoutZero ? low : min(low, 0) + 0;
  const hi: f32 = withoutZero ? high : max(high, 0);
  fitRange(config, lo, hi, x, y, u, n);
}

/**
 * Quantizes a chunk to codes and what its groups store.
 * @param x weights [rows × columns], finite; @param y, u scratch for one group each, in f32
 * @param codes u8 [rows × columns], and 15 more may be written
 * @param scales f32, one per group
 * @param second f32, one per group: the zero point (integers), the scale of weights < 0 (grids), or the
 *   place of its grid (blocks that choose)
 */
export function encodeChunk(
  x: usize, y: usize, u: usize, rows: i32, columns: i32, groupSize: i32,
  configAt: usize, codes: usize, scales: usize, second: usize,
): void {
  const config = changetype<Config>(configAt);
  const rule = config.rule;
  prepareCall(config);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupSize) {
      const n = min(groupSize, columns - column);
      fitGroup(config, x, y, u, n);
      const integers = rule == RULE_INTEGER || rule == RULE_DENORMAL;
      const zero = zeroPoint - config.lowestCode;
      store<f32>(scales, storedScale);
      store<f32>(second, integers ? zero : rule == RULE_CHOICE ? <f32>gridIndex : scaleNegative);
      useUnitScales();
      quantizeGroup(config, x, y, u, n);
      if (rule == RULE_INTEGER) integerCodes(y, n, codes, zero);
      else if (rule == RULE_DENORMAL) denormalCodes(config, y, n, codes);
      else if (rule == RULE_GRID16 || (rule == RULE_CHOICE && config.grid != 0)) gridCodes(config.grid, y, n, codes);
      else minifloatCodes(config, y, n, codes);
      x += <usize>n << 2;
      codes += n;
      scales += 4;
      second += 4;
    }
  }
}
