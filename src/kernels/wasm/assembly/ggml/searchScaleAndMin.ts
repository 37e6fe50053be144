import { nearestIntegers } from './rounding';
import {
  BASES, INVERSES, MINS, PRODUCT1, QUARTET, SCALES, STATE, TRIAL, WEIGHTS,
} from './scratch';

// Scale and minimum of eight sub-blocks at once, as two quartets side by side: one alone would wait
// for its sums. Reference: searchScaleAndMin in searches.ts.

// State of a quartet at STATE + QUARTET·index, a vector each.
/** All ones where the sub-block has no range. */
const FLAT: usize = 0;
const LOWEST: usize = 16;
const HIGHEST: usize = 32;
/** Σ importance and Σ importance·w. */
const SUM_W: usize = 48;
const SUM_X: usize = 64;
/** The best fit so far, and the inverse and base of its codes. */
const MIN: usize = 80;
const SCALE: usize = 96;
const ERROR: usize = 112;
const BEST_INVERSE: usize = 128;
const BEST_BASE: usize = 144;
/** The candidate: codes are (w − MIN)·INVERSE; sums over them; the regression's result. */
const INVERSE: usize = 160;
const SUM_L: usize = 176;
const SUM_L2: usize = 192;
const SUM_XL: usize = 208;
const FITTED_SCALE: usize = 224;
const FITTED_MIN: usize = 240;
/** All ones where the regression has a solution; never without a range, as all codes are 0. */
const SOLVED: usize = 256;
const FITTED_ERROR: usize = 272;

/** Each weight's importance: its magnitude (q2_k), or that plus the sub-block's mean magnitude. */
// @ts-ignore: decorator
@inline
function storeImportance(absolute: bool, n: i32, at: usize): void {
  const end = at + (<usize>n << 4);
  let mean = f32x4.splat(0);
  let p = at;
  if (!absolute) {
    let sum = f32x4.splat(0);
    do {
      const w = v128.load(p, WEIGHTS);
      sum = f32x4.add(sum, f32x4.mul(w, w));
      p += 16;
    } while (p < end);
    mean = f32x4.sqrt(f32x4.div(sum, f32x4.splat(<f32>n)));
    p = at;
  }
  do {
    const magnitude = f32x4.abs(v128.load(p, WEIGHTS));
    v128.store(p, absolute ? magnitude : f32x4.add(mean, magnitude), PRODUCT1);
    p += 16;
  } while (p < end);
}

/** Range and sums of the quartet at `at`. */
function begin(n: i32, at: usize, state: usize): void {
  const end = at + (<usize>n << 4);
  let lowest = v128.load(at, WEIGHTS);
  let highest = lowest;
  let sumW = v128.load(at, PRODUCT1);
  let sumX = f32x4.mul(sumW, lowest);
  for (let p = at + 16; p < end; p += 16) {
    const w = v128.load(p, WEIGHTS);
    const importance = v128.load(p, PRODUCT1);
    lowest = f32x4.pmin(lowest, w);
    highest = f32x4.pmax(highest, w);
    sumW = f32x4.add(sumW, importance);
    sumX = f32x4.add(sumX, f32x4.mul(importance, w));
  }
  const min = f32x4.pmin(lowest, f32x4.splat(0));
  v128.store(state, f32x4.eq(highest, min), FLAT);
  v128.store(state, lowest, LOWEST);
  v128.store(state, highest, HIGHEST);
  v128.store(state, sumW, SUM_W);
  v128.store(state, sumX, SUM_X);
  v128.store(state, min, MIN);
}

/**
 * The inverse that spreads the weights over `range` levels.
 * @returns whether all codes are within 0 … top without clamping
 */
function aim(range: f32, top: f32, state: usize): bool {
  const min = v128.load(state, MIN);
  const span = f32x4.sub(v128.load(state, HIGHEST), min);
  const some = v128.bitselect(f32x4.splat(1), span, v128.load(state, FLAT));
  const inverse = f32x4.div(f32x4.splat(range), some);
  v128.store(state, inverse, INVERSE);
  // All weights lie between the least and the greatest, and so do their scaled values.
  const lowest = f32x4.mul(inverse, f32x4.sub(v128.load(state, LOWEST), min));
  const highest = f32x4.mul(inverse, span);
  const low = f32x4.splat(-0.5), high = f32x4.splat(top + 0.5);
  return i32x4.all_true(v128.and(
    v128.and(f32x4.ge(lowest, low), f32x4.lt(lowest, high)),
    v128.and(f32x4.ge(highest, low), f32x4.lt(highest, high)),
  ));
}

/** Codes of four weights, as f32. @param within true: no clamping needed */
// @ts-ignore: decorator
@inline
function codeOf(within: bool, w: v128, inverse: v128, min: v128, top: v128): v128 {
  const scaled = f32x4.mul(inverse, f32x4.sub(w, min));
  if (within) return f32x4.nearest(scaled);
  return f32x4.convert_i32x4_s(nearestIntegers(scaled, i32x4.splat(0), top));
}

/** Stores both candidates' codes and the sums of their regressions. */
// @ts-ignore: decorator
@inline
function tryCodes(within: bool, topCode: f32, n: i32, scratch: usize): void {
  const top = i32x4.splat(<i32>topCode);
  const stateA = scratch + STATE, stateB = stateA + QUARTET;
  const inverseA = v128.load(stateA, INVERSE), minA = v128.load(stateA, MIN);
  const inverseB = v128.load(stateB, INVERSE), minB = v128.load(stateB, MIN);
  let sumLA = f32x4.splat(0), sumL2A = sumLA, sumXLA = sumLA;
  let sumLB = sumLA, sumL2B = sumLA, sumXLB = sumLA;
  const end = scratch + (<usize>n << 4);
  let p = scratch;
  do {
    const wA = v128.load(p, WEIGHTS);
    const codeA = codeOf(within, wA, inverseA, minA, top);
    v128.store(p, codeA, TRIAL);
    const weightedA = f32x4.mul(v128.load(p, PRODUCT1), codeA);
    sumLA = f32x4.add(sumLA, weightedA);
    sumL2A = f32x4.add(sumL2A, f32x4.mul(weightedA, codeA));
    sumXLA = f32x4.add(sumXLA, f32x4.mul(weightedA, wA));
    const wB = v128.load(p, WEIGHTS + QUARTET);
    const codeB = codeOf(within, wB, inverseB, minB, top);
    v128.store(p, codeB, TRIAL + QUARTET);
    const weightedB = f32x4.mul(v128.load(p, PRODUCT1 + QUARTET), codeB);
    sumLB = f32x4.add(sumLB, weightedB);
    sumL2B = f32x4.add(sumL2B, f32x4.mul(weightedB, codeB));
    sumXLB = f32x4.add(sumXLB, f32x4.mul(weightedB, wB));
    p += 16;
  } while (p < end);
  v128.store(stateA, sumLA, SUM_L);
  v128.store(stateA, sumL2A, SUM_L2);
  v128.store(stateA, sumXLA, SUM_XL);
  v128.store(stateB, sumLB, SUM_L);
  v128.store(stateB, sumL2B, SUM_L2);
  v128.store(stateB, sumXLB, SUM_XL);
}

/** Weighted linear regression of the weights on the candidate's codes. */
function regress(state: usize): void {
  const zero = f32x4.splat(0);
  const sumW = v128.load(state, SUM_W), sumX = v128.load(state, SUM_X);
  const sumL = v128.load(state, SUM_L), sumL2 = v128.load(state, SUM_L2);
  const sumXL = v128.load(state, SUM_XL);
  const determinant = f32x4.sub(f32x4.mul(sumW, sumL2), f32x4.mul(sumL, sumL));
  const scale = f32x4.div(f32x4.sub(f32x4.mul(sumW, sumXL), f32x4.mul(sumX, sumL)), determinant);
  const min = f32x4.div(f32x4.sub(f32x4.mul(sumL2, sumX), f32x4.mul(sumL, sumXL)), determinant);
  // A minimum above 0 is not allowed: then without one.
  const positive = f32x4.gt(min, zero);
  v128.store(state, v128.andnot(min, positive), FITTED_MIN);
  v128.store(state, v128.bitselect(f32x4.div(sumXL, sumL2), scale, positive), FITTED_SCALE);
  v128.store(state, f32x4.gt(determinant, zero), SOLVED);
}

/** Weighted errors of both candidates. */
// @ts-ignore: decorator
@inline
function errors(absolute: bool, n: i32, scratch: usize): void {
  const stateA = scratch + STATE, stateB = stateA + QUARTET;
  const scaleA = v128.load(stateA, FITTED_SCALE), minA = v128.load(stateA, FITTED_MIN);
  const scaleB = v128.load(stateB, FITTED_SCALE), minB = v128.load(stateB, FITTED_MIN);
  let errorA = f32x4.splat(0), errorB = errorA;
  const end = scratch + (<usize>n << 4);
  let p = scratch;
  do {
    const levelA = f32x4.add(f32x4.mul(scaleA, v128.load(p, TRIAL)), minA);
    const differenceA = f32x4.sub(levelA, v128.load(p, WEIGHTS));
    const costA = absolute ? f32x4.abs(differenceA) : f32x4.mul(differenceA, differenceA);
    errorA = f32x4.add(errorA, f32x4.mul(v128.load(p, PRODUCT1), costA));
    const levelB = f32x4.add(f32x4.mul(scaleB, v128.load(p, TRIAL + QUARTET)), minB);
    const differenceB = f32x4.sub(levelB, v128.load(p, WEIGHTS + QUARTET));
    const costB = absolute ? f32x4.abs(differenceB) : f32x4.mul(differenceB, differenceB);
    errorB = f32x4.add(errorB, f32x4.mul(v128.load(p, PRODUCT1 + QUARTET), costB));
    p += 16;
  } while (p < end);
  v128.store(stateA, errorA, FITTED_ERROR);
  v128.store(stateB, errorB, FITTED_ERROR);
}

/** Keeps the candidate in the lanes of `better`. */
// @ts-ignore: decorator
@inline
function keep(state: usize, better: v128, candidate: usize, best: usize): void {
  const chosen = v128.bitselect(v128.load(state + candidate), v128.load(state + best), better);
  v128.store(state + best, chosen);
}

function accept(state: usize): void {
  const smaller = f32x4.lt(v128.load(state, FITTED_ERROR), v128.load(state, ERROR));
  const better = v128.and(smaller, v128.load(state, SOLVED));
  keep(state, better, INVERSE, BEST_INVERSE);
  keep(state, better, MIN, BEST_BASE);
  keep(state, better, FITTED_SCALE, SCALE);
  keep(state, better, FITTED_MIN, MIN);
  keep(state, better, FITTED_ERROR, ERROR);
}

/** The first fit: from least to greatest, without regression. */
function fitRange(state: usize): void {
  const inverse = v128.load(state, INVERSE), min = v128.load(state, MIN);
  const scale = f32x4.div(f32x4.splat(1), inverse);
  v128.store(state, scale, FITTED_SCALE);
  v128.store(state, min, FITTED_MIN);
  v128.store(state, scale, SCALE);
  v128.store(state, inverse, BEST_INVERSE);
  v128.store(state, min, BEST_BASE);
}

function finish(state: usize, found: usize): void {
  v128.store(found, v128.andnot(v128.load(state, SCALE), v128.load(state, FLAT)), SCALES);
  v128.store(found, f32x4.sub(f32x4.splat(0), v128.load(state, MIN)), MINS);
  v128.store(found, v128.load(state, BEST_INVERSE), INVERSES);
  v128.store(found, v128.load(state, BEST_BASE), BASES);
}

/** Codes and sums of both quartets' candidates over `range` levels. */
// @ts-ignore: decorator
@inline
function tryRange(range: f32, top: f32, n: i32, scratch: usize): void {
  const state = scratch + STATE;
  const withinA = aim(range, top, state), withinB = aim(range, top, state + QUARTET);
  if (withinA && withinB) tryCodes(true, top, n, scratch);
  else tryCodes(false, top, n, scratch);
}

/**
 * Searches the eight sub-blocks of the two quartets at WEIGHTS; leaves what was found at
 * `found` + SCALES, MINS, INVERSES, BASES. @param first first candidate's range, less `top`
 */
// @ts-ignore: decorator
@inline
function search(
  absolute: bool, n: i32, top: f32, first: f32, steps: i32, scratch: usize, found: usize,
): void {
  const stateA = scratch + STATE, stateB = stateA + QUARTET;
  storeImportance(absolute, n, scratch);
  storeImportance(absolute, n, scratch + QUARTET);
  begin(n, scratch, stateA);
  begin(n, scratch + QUARTET, stateB);
  tryRange(top, top, n, scratch);
  fitRange(stateA);
  fitRange(stateB);
  errors(absolute, n, scratch);
  v128.store(stateA, v128.load(stateA, FITTED_ERROR), ERROR);
  v128.store(stateB, v128.load(stateB, FITTED_ERROR), ERROR);
  for (let step = 0; step <= steps; step++) {
    tryRange(first + <f32>0.1 * <f32>step + top, top, n, scratch);
    regress(stateA);
    regress(stateB);
    errors(absolute, n, scratch);
    accept(stateA);
    accept(stateB);
  }
  finish(stateA, found);
  finish(stateB, found + 16);
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
