import { addNearRun } from './accumulate';
import { Config, TIES_AWAY } from './config';
import { divisorPositive, scalePositive, zeroPoint } from './group';
import { SHIFT } from './integer';
import { promoteHigh } from './lanes';
import { SCALE_F32, SUM_RUN } from './config';

// Integers and their sums in less time, for nearly all groups: those without clipped weights, with
// scales of 16 bits. The sums are those of integerGroup and accumulate, to the bit.

/**
 * Whether {@link addNearIntegers} may do a group whose weights lie in low … high. Where these two are
 * no more than half a step from their levels, so are all weights in between: none is clipped, and each
 * level but 0 is within a factor of two of its weights, so that their difference is exact in f32.
 */
export function areNear(config: Config, low: f32, high: f32, n: i32): bool {
  if ((n & 3) != 0 || config.ties == TIES_AWAY || config.dtype == SCALE_F32) return false;
  const shift = f32x4.splat(SHIFT);
  const ends = f32x4.replace_lane(f32x4.splat(low), 1, high);
  const scaled = f32x4.div(ends, f32x4.splat(divisorPositive));
  const bottom = f32x4.splat(SHIFT + (config.lowestCode - zeroPoint));
  const top = f32x4.splat(SHIFT + (config.highestCode - zeroPoint));
  const code = f32x4.pmin(f32x4.pmax(f32x4.add(scaled, shift), bottom), top);
  const level = f32x4.sub(code, shift);
  const near = f32x4.le(f32x4.abs(f32x4.sub(scaled, level)), f32x4.splat(0.5));
  // A scale that was rounded up may overflow.
  const value = f32x4.mul(f32x4.splat(scalePositive), level);
  const finite = f32x4.lt(f32x4.abs(value), f32x4.splat(Infinity));
  return i32x4.all_true(v128.and(near, finite));
}

/** Quantizes at most SUM_RUN weights; returns the squares of their levels, in four f32 lanes, exact. */
// @ts-ignore: decorator
@inline
function quantizeRun(config: Config, x: usize, y: usize, n: i32): v128 {
  const divisor = f32x4.splat(divisorPositive);
  const scale = f32x4.splat(scalePositive);
  const shift = f32x4.splat(SHIFT);
  const bottom = f32x4.splat(SHIFT + (config.lowestCode - zeroPoint));
  const top = f32x4.splat(SHIFT + (config.highestCode - zeroPoint));
  let squares = f32x4.splat(0);
  const end = x + (<usize>n << 2);
  do {
    const scaled = f32x4.div(v128.load(x), divisor);
    const code = f32x4.pmin(f32x4.pmax(f32x4.add(scaled, shift), bottom), top);
    const level = f32x4.sub(code, shift);
    v128.store(y, f32x4.mul(scale, level));
    squares = f32x4.add(squares, f32x4.mul(level, level));
    x += 16;
    y += 16;
  } while (x < end);
  return squares;
}

/** Quantizes a group of n weights, a multiple of four, and adds it to the sums. */
export function addNearIntegers(config: Config, x: usize, y: usize, n: i32, sums: usize): void {
  // A scale of at most 11 significant bits makes all these products and sums exact.
  const scale = <f64>scalePositive;
  const square = f64x2.splat(scale * scale);
  do {
    const run = min(n, SUM_RUN);
    const squares = quantizeRun(config, x, y, run);
    const levels = f64x2.add(f64x2.promote_low_f32x4(squares), promoteHigh(squares));
    addNearRun(x, y, run, f64x2.mul(square, levels), scalePositive, sums);
    const bytes = <usize>run << 2;
    x += bytes;
    y += bytes;
    n -= run;
  } while (n > 0);
}
