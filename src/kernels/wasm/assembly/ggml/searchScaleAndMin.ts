import { allRoundable, nearestIntegers } from './rounding';
import {
  BASES, INVERSES, MINS, PRODUCT1, SCALES, SUM_L, SUM_L2, SUM_XL, TRIAL, WEIGHTS,
} from './scratch';

// Scale and minimum of four sub-blocks at once. Reference: searchScaleAndMin in searches.ts.

/** Each weight's importance: its magnitude (q2_k), or that plus the sub-block's mean magnitude. */
// @ts-ignore: decorator
@inline
function storeImportance(absolute: bool, n: i32, scratch: usize): void {
  const end = scratch + (<usize>n << 4);
  let mean = f32x4.splat(0);
  let p = scratch;
  if (!absolute) {
    let sum = f32x4.splat(0);
    do {
      const w = v128.load(p, WEIGHTS);
      sum = f32x4.add(sum, f32x4.mul(w, w));
      p += 16;
    } while (p < end);
    mean = f32x4.sqrt(f32x4.div(sum, f32x4.splat(<f32>n)));
    p = scratch;
  }
  do {
    const magnitude = f32x4.abs(v128.load(p, WEIGHTS));
    v128.store(p, absolute ? magnitude : f32x4.add(mean, magnitude), PRODUCT1);
    p += 16;
  } while (p < end);
}

/** Codes of four weights, as f32. `exact`: with ggml's rounding beyond 2^22. */
// @ts-ignore: decorator
@inline
function codeOf(exact: bool, w: v128, inverse: v128, min: v128, top: v128): v128 {
  const scaled = f32x4.mul(inverse, f32x4.sub(w, min));
  if (exact) {
    return f32x4.convert_i32x4_s(
      nearestIntegers(scaled, i32x4.splat(0), i32x4.trunc_sat_f32x4_s(top)),
    );
  }
  return f32x4.pmin(f32x4.pmax(f32x4.splat(0), f32x4.nearest(scaled)), top);
}

/** Weighted error of the trial codes, by lane. */
// @ts-ignore: decorator
@inline
function errorOf(absolute: bool, scale: v128, min: v128, n: i32, scratch: usize): v128 {
  let error = f32x4.splat(0);
  const end = scratch + (<usize>n << 4);
  let p = scratch;
  do {
    const level = f32x4.add(f32x4.mul(scale, v128.load(p, TRIAL)), min);
    const difference = f32x4.sub(level, v128.load(p, WEIGHTS));
    const cost = absolute ? f32x4.abs(difference) : f32x4.mul(difference, difference);
    error = f32x4.add(error, f32x4.mul(v128.load(p, PRODUCT1), cost));
    p += 16;
  } while (p < end);
  return error;
}

/** Stores the candidate's codes and the sums of its regression. */
// @ts-ignore: decorator
@inline
function tryCodes(exact: bool, inverse: v128, min: v128, top: v128, n: i32, scratch: usize): void {
  let sumL = f32x4.splat(0), sumL2 = f32x4.splat(0), sumXL = f32x4.splat(0);
  const end = scratch + (<usize>n << 4);
  let p = scratch;
  do {
    const w = v128.load(p, WEIGHTS);
    const code = codeOf(exact, w, inverse, min, top);
    v128.store(p, code, TRIAL);
    const weighted = f32x4.mul(v128.load(p, PRODUCT1), code);
    sumL = f32x4.add(sumL, weighted);
    sumL2 = f32x4.add(sumL2, f32x4.mul(weighted, code));
    sumXL = f32x4.add(sumXL, f32x4.mul(weighted, w));
    p += 16;
  } while (p < end);
  v128.store(scratch, sumL, SUM_L);
  v128.store(scratch, sumL2, SUM_L2);
  v128.store(scratch, sumXL, SUM_XL);
}

/**
 * Searches the four sub-blocks at WEIGHTS; leaves scale, minimum and how to get the codes at
 * `found` + SCALES, MINS, INVERSES, BASES.
 */
// @ts-ignore: decorator
@inline
function search(
  absolute: bool, n: i32, topCode: f32, first: f32, steps: i32, scratch: usize, found: usize,
): void {
  const zero = f32x4.splat(0);
  const top = f32x4.splat(topCode);
  storeImportance(absolute, n, scratch);

  const end = scratch + (<usize>n << 4);
  let lowest = v128.load(scratch, WEIGHTS);
  let max = lowest;
  let sumW = v128.load(scratch, PRODUCT1);
  let sumX = f32x4.mul(sumW, lowest);
  for (let p = scratch + 16; p < end; p += 16) {
    const w = v128.load(p, WEIGHTS);
    const importance = v128.load(p, PRODUCT1);
    lowest = f32x4.pmin(lowest, w);
    max = f32x4.pmax(max, w);
    sumW = f32x4.add(sumW, importance);
    sumX = f32x4.add(sumX, f32x4.mul(importance, w));
  }
  let min = f32x4.pmin(lowest, zero);
  const flat = f32x4.eq(max, min);
  const one = f32x4.splat(1);

  let span = v128.bitselect(one, f32x4.sub(max, min), flat);
  let inverse = f32x4.div(top, span);
  let scale = f32x4.div(one, inverse);
  let bestInverse = inverse, bestBase = min;
  if (allRoundable(f32x4.mul(inverse, f32x4.sub(lowest, min)), f32x4.mul(inverse, f32x4.sub(max, min)))) {
    tryCodes(false, inverse, min, top, n, scratch);
  } else {
    tryCodes(true, inverse, min, top, n, scratch);
  }
  let bestError = errorOf(absolute, scale, min, n, scratch);

  for (let step = 0; step <= steps; step++) {
    const range = first + <f32>0.1 * <f32>step + topCode;
    span = v128.bitselect(one, f32x4.sub(max, min), flat);
    inverse = f32x4.div(f32x4.splat(range), span);
    // All weights lie between the least and the greatest, and so do their scaled values.
    if (allRoundable(f32x4.mul(inverse, f32x4.sub(lowest, min)), f32x4.mul(inverse, f32x4.sub(max, min)))) {
      tryCodes(false, inverse, min, top, n, scratch);
    } else {
      tryCodes(true, inverse, min, top, n, scratch);
    }
    const sumL = v128.load(scratch, SUM_L), sumL2 = v128.load(scratch, SUM_L2);
    const sumXL = v128.load(scratch, SUM_XL);
    const determinant = f32x4.sub(f32x4.mul(sumW, sumL2), f32x4.mul(sumL, sumL));
    let fitted = f32x4.div(
      f32x4.sub(f32x4.mul(sumW, sumXL), f32x4.mul(sumX, sumL)), determinant,
    );
    let low = f32x4.div(f32x4.sub(f32x4.mul(sumL2, sumX), f32x4.mul(sumL, sumXL)), determinant);
    const positive = f32x4.gt(low, zero);
    low = v128.andnot(low, positive);
    fitted = v128.bitselect(f32x4.div(sumXL, sumL2), fitted, positive);
    const error = errorOf(absolute, fitted, low, n, scratch);
    const better = v128.andnot(
      v128.and(f32x4.gt(determinant, zero), f32x4.lt(error, bestError)), flat,
    );
    bestError = v128.bitselect(error, bestError, better);
    bestInverse = v128.bitselect(inverse, bestInverse, better);
    bestBase = v128.bitselect(min, bestBase, better);
    scale = v128.bitselect(fitted, scale, better);
    min = v128.bitselect(low, min, better);
  }
  v128.store(found, v128.andnot(scale, flat), SCALES);
  v128.store(found, f32x4.sub(zero, min), MINS);
  v128.store(found, v128.andnot(bestInverse, flat), INVERSES);
  v128.store(found, v128.andnot(bestBase, flat), BASES);
}

/** q2_k: sub-blocks of 16, codes 0 … 3, absolute errors. */
export function searchQ2(scratch: usize, found: usize): void {
  search(true, 16, 3, -0.5, 15, scratch, found);
}

/** q4_k: sub-blocks of 32, codes 0 … 15, squared errors. */
export function searchQ4(scratch: usize, found: usize): void {
  search(false, 32, 15, -1, 20, scratch, found);
}

/** q5_k: sub-blocks of 32, codes 0 … 31, squared errors. */
export function searchQ5(scratch: usize, found: usize): void {
  search(false, 32, 31, -0.5, 15, scratch, found);
}
