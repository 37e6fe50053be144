import { nearestIntegers } from './rounding';
import { BASES, extremes, INVERSES, PRODUCT1, PRODUCT2, SCALES, WEIGHTS } from './scratch';

// Scales of four sub-blocks of 16 at once, weights counting by their squares. Reference: searchScale
// and descendScale in searches.ts.

const N: i32 = 16;
const VECTORS_END: usize = 256;
const NEGLIGIBLE: f32 = 1e-15;

/** w² and w³ of the weights. */
function storePowers(scratch: usize): void {
  const end = scratch + VECTORS_END;
  do {
    const w = v128.load(scratch, WEIGHTS);
    const square = f32x4.mul(w, w);
    v128.store(scratch, square, PRODUCT1);
    v128.store(scratch, f32x4.mul(square, w), PRODUCT2);
    scratch += 16;
  } while (scratch < end);
}

// @ts-ignore: decorator
@inline
function levelOf(inverse: v128, w: v128, low: v128, high: v128): v128 {
  // Never beyond 2^22: the extreme weight becomes at most half + 0.9.
  return f32x4.pmin(f32x4.pmax(low, f32x4.nearest(f32x4.mul(inverse, w))), high);
}

/** −(half + 0.1·step)/extreme, half = 32. */
// @ts-ignore: decorator
@inline
function candidate(step: i32, extreme: v128): v128 {
  return f32x4.div(f32x4.splat(-(<f32>32 + <f32>0.1 * <f32>step)), extreme);
}

/**
 * q6_k: searches the four sub-blocks at WEIGHTS; leaves at `found` their scales, and inverses and
 * bases such that a weight's code is base + the nearest level of inverse·w.
 */
export function searchQ6(scratch: usize, found: usize): void {
  const zero = f32x4.splat(0);
  const low = f32x4.splat(-32), high = f32x4.splat(31);
  storePowers(scratch);
  let extreme = extremes(scratch + WEIGHTS, N);
  const negligible = f32x4.lt(f32x4.abs(extreme), f32x4.splat(NEGLIGIBLE));
  extreme = v128.bitselect(f32x4.splat(1), extreme, negligible);
  const end = scratch + VECTORS_END;

  let bestInverse = candidate(0, extreme);
  let xl = zero, l2 = zero;
  let p = scratch;
  do {
    const level = levelOf(bestInverse, v128.load(p, WEIGHTS), low, high);
    xl = f32x4.add(xl, f32x4.mul(v128.load(p, PRODUCT2), level));
    l2 = f32x4.add(l2, f32x4.mul(f32x4.mul(v128.load(p, PRODUCT1), level), level));
    p += 16;
  } while (p < end);
  let scale = v128.andnot(f32x4.div(xl, l2), f32x4.eq(l2, zero));
  let best = f32x4.mul(scale, xl);

  // Two candidates at a time keep the adders busy.
  let step = -9;
  do {
    const inverseA = candidate(step, extreme);
    const stepB = step == -1 ? 1 : step + 1;
    const inverseB = candidate(stepB, extreme);
    let xlA = zero, l2A = zero, xlB = zero, l2B = zero;
    p = scratch;
    do {
      const w = v128.load(p, WEIGHTS), square = v128.load(p, PRODUCT1), cube = v128.load(p, PRODUCT2);
      const levelA = levelOf(inverseA, w, low, high), levelB = levelOf(inverseB, w, low, high);
      xlA = f32x4.add(xlA, f32x4.mul(cube, levelA));
      l2A = f32x4.add(l2A, f32x4.mul(f32x4.mul(square, levelA), levelA));
      xlB = f32x4.add(xlB, f32x4.mul(cube, levelB));
      l2B = f32x4.add(l2B, f32x4.mul(f32x4.mul(square, levelB), levelB));
      p += 16;
    } while (p < end);
    let better = v128.and(f32x4.gt(l2A, zero), f32x4.gt(f32x4.mul(xlA, xlA), f32x4.mul(best, l2A)));
    scale = v128.bitselect(f32x4.div(xlA, l2A), scale, better);
    best = v128.bitselect(f32x4.mul(scale, xlA), best, better);
    bestInverse = v128.bitselect(inverseA, bestInverse, better);
    better = v128.and(f32x4.gt(l2B, zero), f32x4.gt(f32x4.mul(xlB, xlB), f32x4.mul(best, l2B)));
    scale = v128.bitselect(f32x4.div(xlB, l2B), scale, better);
    best = v128.bitselect(f32x4.mul(scale, xlB), best, better);
    bestInverse = v128.bitselect(inverseB, bestInverse, better);
    step = stepB + 1;
  } while (step <= 9);
  v128.store(found, v128.andnot(scale, negligible), SCALES);
  v128.store(found, v128.andnot(bestInverse, negligible), INVERSES);
  v128.store(found, v128.andnot(f32x4.splat(32), negligible), BASES);
}

/**
 * q3_k: coordinate descent on the four sub-blocks at WEIGHTS; leaves their scales at `found` and
 * the levels at `levels`, 16 vectors.
 */
export function searchQ3(scratch: usize, found: usize, levels: usize): void {
  const zero = f32x4.splat(0);
  const low = i32x4.splat(-4), high = i32x4.splat(3);
  storePowers(scratch);
  let extreme = extremes(scratch + WEIGHTS, N);
  const negligible = f32x4.lt(f32x4.abs(extreme), f32x4.splat(NEGLIGIBLE));
  extreme = v128.bitselect(f32x4.splat(1), extreme, negligible);
  const inverse = f32x4.div(f32x4.splat(-4), extreme);
  const end = scratch + VECTORS_END;
  const toLevels = levels - scratch;

  let xl = zero, l2 = zero;
  let p = scratch;
  do {
    const level = levelOf(inverse, v128.load(p, WEIGHTS), f32x4.splat(-4), f32x4.splat(3));
    v128.store(p + toLevels, level);
    xl = f32x4.add(xl, f32x4.mul(v128.load(p, PRODUCT2), level));
    l2 = f32x4.add(l2, f32x4.mul(f32x4.mul(v128.load(p, PRODUCT1), level), level));
    p += 16;
  } while (p < end);

  let round = 0;
  let changed: bool;
  do {
    changed = false;
    p = scratch;
    do {
      const w = v128.load(p, WEIGHTS), square = v128.load(p, PRODUCT1), cube = v128.load(p, PRODUCT2);
      const level = v128.load(p + toLevels);
      const otherXl = f32x4.sub(xl, f32x4.mul(cube, level));
      const otherL2 = f32x4.sub(l2, f32x4.mul(f32x4.mul(square, level), level));
      const target = f32x4.div(f32x4.mul(w, otherL2), otherXl);
      const moved = f32x4.convert_i32x4_s(nearestIntegers(target, low, high));
      let accepted = v128.and(f32x4.gt(otherXl, zero), f32x4.ne(moved, level));
      // Mostly nothing moves; a branch lets the next weight start before this is known.
      if (v128.any_true(accepted)) {
        const newXl = f32x4.add(otherXl, f32x4.mul(cube, moved));
        const newL2 = f32x4.add(otherL2, f32x4.mul(f32x4.mul(square, moved), moved));
        accepted = v128.and(accepted, v128.and(
          f32x4.gt(newL2, zero),
          f32x4.gt(f32x4.mul(f32x4.mul(newXl, newXl), l2), f32x4.mul(f32x4.mul(xl, xl), newL2)),
        ));
        xl = v128.bitselect(newXl, xl, accepted);
        l2 = v128.bitselect(newL2, l2, accepted);
        v128.store(p + toLevels, v128.bitselect(moved, level, accepted));
        changed = changed || v128.any_true(accepted);
      }
      p += 16;
    } while (p < end);
  } while (changed && ++round < 5);

  const some = v128.andnot(f32x4.gt(l2, zero), negligible);
  v128.store(found, v128.and(f32x4.div(xl, l2), some), SCALES);
  // Sub-blocks of nothing have code 0.
  for (p = levels; p < levels + VECTORS_END; p += 16) {
    v128.store(p, v128.bitselect(f32x4.splat(-4), v128.load(p), negligible));
  }
}
