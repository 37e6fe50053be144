import { floatsOf, levelHalves, nearestCodes } from './grid';
import { extremes, PRODUCT1, SCALES, STATE, WEIGHTS } from './scratch';

// The scale of four sub-blocks of 32 at once on the uneven grid. Reference: searchGridScale.

const N: i32 = 32;
const VECTORS_END: usize = 512;
/** A vector each: Σ w²·level·w and Σ w²·level² of a candidate. */
const SUM_XL: usize = STATE;
const SUM_L2: usize = STATE + 16;

/** Sums for the levels nearest to inverse·w; products associate as in the reference. */
function gridSums(inverse: v128, scratch: usize): void {
  const twice = f32x4.add(inverse, inverse);
  let xl = f32x4.splat(0), l2 = xl;
  const end = scratch + VECTORS_END;
  let p = scratch;
  do {
    const x0 = v128.load(p, WEIGHTS), x1 = v128.load(p, WEIGHTS + 16);
    const x2 = v128.load(p, WEIGHTS + 32), x3 = v128.load(p, WEIGHTS + 48);
    const codes = nearestCodes(
      f32x4.mul(twice, x0), f32x4.mul(twice, x1), f32x4.mul(twice, x2), f32x4.mul(twice, x3),
    );
    const lower = levelHalves(false, codes), upper = levelHalves(true, codes);
    let level = floatsOf(false, lower);
    let weighted = f32x4.mul(v128.load(p, PRODUCT1), level);
    xl = f32x4.add(xl, f32x4.mul(weighted, x0));
    l2 = f32x4.add(l2, f32x4.mul(weighted, level));
    level = floatsOf(true, lower);
    weighted = f32x4.mul(v128.load(p, PRODUCT1 + 16), level);
    xl = f32x4.add(xl, f32x4.mul(weighted, x1));
    l2 = f32x4.add(l2, f32x4.mul(weighted, level));
    level = floatsOf(false, upper);
    weighted = f32x4.mul(v128.load(p, PRODUCT1 + 32), level);
    xl = f32x4.add(xl, f32x4.mul(weighted, x2));
    l2 = f32x4.add(l2, f32x4.mul(weighted, level));
    level = floatsOf(true, upper);
    weighted = f32x4.mul(v128.load(p, PRODUCT1 + 48), level);
    xl = f32x4.add(xl, f32x4.mul(weighted, x3));
    l2 = f32x4.add(l2, f32x4.mul(weighted, level));
    p += 64;
  } while (p < end);
  v128.store(scratch, xl, SUM_XL);
  v128.store(scratch, l2, SUM_L2);
}

/** Searches the four sub-blocks at WEIGHTS; leaves their scales at `found` + SCALES. */
export function searchGrid(scratch: usize, found: usize): void {
  let extreme = extremes(scratch + WEIGHTS, N);
  const negligible = f32x4.lt(f32x4.abs(extreme), f32x4.splat(1e-15));
  extreme = v128.bitselect(f32x4.splat(1), extreme, negligible);
  const end = scratch + VECTORS_END;
  for (let p = scratch; p < end; p += 16) {
    const w = v128.load(p, WEIGHTS);
    v128.store(p, f32x4.mul(w, w), PRODUCT1);
  }
  gridSums(f32x4.div(f32x4.splat(1), f32x4.div(extreme, f32x4.splat(127))), scratch);
  let xl = v128.load(scratch, SUM_XL), l2 = v128.load(scratch, SUM_L2);
  let scale = f32x4.div(xl, l2);
  let best = f32x4.mul(scale, xl);
  for (let range: f32 = -134; range <= -120; range++) {
    gridSums(f32x4.div(f32x4.splat(range), extreme), scratch);
    xl = v128.load(scratch, SUM_XL);
    l2 = v128.load(scratch, SUM_L2);
    const better = v128.and(
      f32x4.gt(l2, f32x4.splat(0)), f32x4.gt(f32x4.mul(xl, xl), f32x4.mul(best, l2)),
    );
    scale = v128.bitselect(f32x4.div(xl, l2), scale, better);
    best = v128.bitselect(f32x4.mul(scale, xl), best, better);
  }
  v128.store(found, v128.andnot(scale, negligible), SCALES);
}
