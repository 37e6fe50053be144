import {
  CLIPPED_STEP_ERROR, SUM_BAD_SCALES, SUM_CLIPPED, SUM_ERROR, SUM_LENGTH, SUM_MAX_ERROR,
  SUM_NOT_STRADDLING, SUM_ONE_SIGNED, SUM_RUN, SUM_STEP, SUM_UNDERFLOW, SUM_UNDERFLOW_ERROR, SUM_VALUE,
} from './config';
import { firstLanes, highest, promoteHigh } from './lanes';

// The raw sums of a chunk, as kernels/types.ts lays them out: sums of two f64 lanes, then f64 scalars.
// What the loop needs in another form until the chunk's end lies behind them.
/** Aligned for vectors. */
const BEHIND: usize = (SUM_LENGTH + 15) & ~15;
/** Two f64: greatest squared errors. */
const GREATEST: usize = BEHIND;
/** Four i32: underflow twice, clipped twice. */
const COUNTS: usize = BEHIND + 16;
/** One f32, in memory: V8 builds a vector constant anew in every round of a loop. */
const LIMIT: usize = BEHIND + 32;
/** Three vectors: the weights, values and step errors behind a group's last whole vector. */
const REST: usize = BEHIND + 48;
/** Four f32: greatest errors of addNearRun. */
const GREATEST_NEAR: usize = BEHIND + 96;
/** One f32 in which all bits but the sign are set. */
const MAGNITUDE: usize = BEHIND + 112;
const LENGTH: usize = BEHIND + 128;

const LARGEST_F32: f32 = 3.4028234663852886e38;

export function clearSums(sums: usize): void {
  memory.fill(sums, 0, LENGTH);
  // Squares of neighbouring floats near 1/2 differ, so comparing squares decides alike.
  store<f32>(sums, CLIPPED_STEP_ERROR * CLIPPED_STEP_ERROR, LIMIT);
  store<i32>(sums, 0x7fffffff, MAGNITUDE);
}

// @ts-ignore: decorator
@inline
function addTo(at: usize, amount: f64): void {
  store<f64>(at, load<f64>(at) + amount);
}

export function countGroup(sums: usize, badScale: i32, oneSigned: i32, notStraddling: i32): void {
  addTo(sums + SUM_BAD_SCALES, <f64>badScale);
  addTo(sums + SUM_ONE_SIGNED, <f64>oneSigned);
  addTo(sums + SUM_NOT_STRADDLING, <f64>notStraddling);
}

// @ts-ignore: decorator
@inline
function addLanes(at: usize, lanes: v128): void {
  v128.store(at, f64x2.add(v128.load(at), lanes));
}

/** Adds the sums of a run: f64 lanes. */
// @ts-ignore: decorator
@inline
function addRun(sums: usize, error: v128, value: v128, underError: v128): void {
  addLanes(sums + SUM_ERROR, error);
  addLanes(sums + SUM_VALUE, value);
  addLanes(sums + SUM_UNDERFLOW_ERROR, underError);
}

/** Adds step errors where all levels are `width` apart, by the squared errors of a run. */
// @ts-ignore: decorator
@inline
function addEvenSteps(sums: usize, error: v128, width: f32): void {
  if (width == 0) return;
  const square = <f64>width * <f64>width;
  addLanes(sums + SUM_STEP, f64x2.div(error, f64x2.splat(square)));
}

/** Where levels are not equally far apart. */
export const UNEVEN: f32 = -1;

/** @param counts of a run, i16: underflow in the lower four lanes, clipped in the upper; negative */
// @ts-ignore: decorator
@inline
function addCounts(sums: usize, counts: v128): void {
  const pairs = i32x4.extadd_pairwise_i16x8_s(counts);
  v128.store(sums, i32x4.sub(v128.load(sums, COUNTS), pairs), COUNTS);
}

/**
 * Adds at most SUM_RUN weights, in whole vectors. The time of it is the two f64 pipes': two lanes for
 * each sum keep all of them in registers, and floats are widened as they are loaded.
 */
function addVectors(x: usize, y: usize, u: usize, n: i32, width: f32, sums: usize): void {
  const zero = f32x4.splat(0);
  const limit = v128.load32_splat(sums, LIMIT);
  let error = zero, value = zero, underError = zero, greatest = v128.load(sums, GREATEST);
  let step = zero, counts = zero;
  const end = x + (<usize>n << 2);
  do {
    const q01 = f64x2.promote_low_f32x4(v128.load64_zero(y));
    const q23 = f64x2.promote_low_f32x4(v128.load64_zero(y, 8));
    value = f64x2.add(value, f64x2.add(f64x2.mul(q01, q01), f64x2.mul(q23, q23)));
    const e01 = f64x2.sub(q01, f64x2.promote_low_f32x4(v128.load64_zero(x)));
    const e23 = f64x2.sub(q23, f64x2.promote_low_f32x4(v128.load64_zero(x, 8)));
    const low = f64x2.mul(e01, e01), high = f64x2.mul(e23, e23);
    error = f64x2.add(error, f64x2.add(low, high));
    // NaN (an infinity of a block format minus itself) never wins a pmax as its second operand.
    greatest = f64x2.pmax(f64x2.pmax(greatest, low), high);
    const s = v128.load(u);
    const square = f32x4.mul(s, s);
    step = f32x4.add(step, square);
    const under = v128.andnot(f32x4.eq(v128.load(y), zero), f32x4.eq(v128.load(x), zero));
    counts = i16x8.add(counts, i16x8.narrow_i32x4_s(under, f32x4.gt(square, limit)));
    underError = f64x2.add(underError, f64x2.add(
      v128.and(low, v128.shuffle<u32>(under, under, 0, 0, 1, 1)),
      v128.and(high, v128.shuffle<u32>(under, under, 2, 2, 3, 3)),
    ));
    x += 16;
    y += 16;
    u += 16;
  } while (x < end);
  addRun(sums, error, value, underError);
  if (width >= 0) {
    addEvenSteps(sums, error, width);
  } else {
    step = f32x4.pmin(step, f32x4.splat(LARGEST_F32));
    addLanes(sums + SUM_STEP, f64x2.add(f64x2.promote_low_f32x4(step), promoteHigh(step)));
  }
  v128.store(sums, greatest, GREATEST);
  addCounts(sums, counts);
}

/**
 * Adds a run of weights that each differ from their values by a number that is exact in f32: the sums of
 * addVectors, to the bit, in less time.
 * @param value squared values, summed; @param width distance between any two levels
 */
// @ts-ignore: decorator
@inline
export function addNearRun(
  x: usize, y: usize, n: i32, value: v128, width: f32, sums: usize,
): void {
  const zero = f32x4.splat(0);
  const magnitude = v128.load32_splat(sums, MAGNITUDE);
  let error = zero, underError = zero, counts = zero;
  let greatest = v128.load(sums, GREATEST_NEAR);
  const end = x + (<usize>n << 2);
  do {
    const w = v128.load(x), q = v128.load(y);
    const e = f32x4.sub(q, w);
    greatest = f32x4.pmax(greatest, v128.and(e, magnitude));
    const e01 = f64x2.promote_low_f32x4(e), e23 = promoteHigh(e);
    const low = f64x2.mul(e01, e01), high = f64x2.mul(e23, e23);
    error = f64x2.add(error, f64x2.add(low, high));
    const isZero = f32x4.eq(q, zero);
    underError = f64x2.add(underError, f64x2.add(
      v128.and(low, v128.shuffle<u32>(isZero, isZero, 0, 0, 1, 1)),
      v128.and(high, v128.shuffle<u32>(isZero, isZero, 2, 2, 3, 3)),
    ));
    counts = i32x4.add(counts, v128.andnot(isZero, f32x4.eq(w, zero)));
    x += 16;
    y += 16;
  } while (x < end);
  addRun(sums, error, value, underError);
  addEvenSteps(sums, error, width);
  v128.store(sums, greatest, GREATEST_NEAR);
  addCounts(sums, i16x8.narrow_i32x4_s(counts, zero));
}

/**
 * Adds one group to the sums. Reference: addGroup.
 * @param x weights; @param y dequantized; @param u errors in steps; @param n how many
 * @param width distance between any two levels, or UNEVEN
 */
export function accumulate(x: usize, y: usize, u: usize, n: i32, width: f32, sums: usize): void {
  while (n >= 4) {
    const run = min(n & ~3, SUM_RUN);
    addVectors(x, y, u, run, width, sums);
    const bytes = <usize>run << 2;
    x += bytes;
    y += bytes;
    u += bytes;
    n -= run;
  }
  if (n == 0) return;
  const rest = sums + REST;
  v128.store(rest, firstLanes(v128.load(x), n));
  v128.store(rest, firstLanes(v128.load(y), n), 16);
  v128.store(rest, firstLanes(v128.load(u), n), 32);
  addVectors(rest, rest + 16, rest + 32, 4, width, sums);
}

/** Completes the sums once all groups are in. */
export function finishSums(sums: usize): void {
  const greatest = max(load<f64>(sums, GREATEST), load<f64>(sums, GREATEST + 8));
  const near = highest(v128.load(sums, GREATEST_NEAR));
  store<f64>(sums, max(sqrt(greatest), <f64>near), SUM_MAX_ERROR);
  const counts = sums + COUNTS;
  store<f64>(sums, <f64>(load<i32>(counts) + load<i32>(counts, 4)), SUM_UNDERFLOW);
  store<f64>(sums, <f64>(load<i32>(counts, 8) + load<i32>(counts, 12)), SUM_CLIPPED);
}
