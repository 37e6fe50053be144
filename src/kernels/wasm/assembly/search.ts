import { firstLanes, promoteHigh, squareHigh, squareLow } from './lanes';

// Series of power.ts.
const LOG0: f32 = -0.14275974035263062;
const LOG1: f32 = 0.23265257477760315;
const LOG2: f32 = -0.24927182495594025;
const LOG3: f32 = 0.2872888743877411;
const LOG4: f32 = -0.3602251708507538;
const LOG5: f32 = 0.48091670870780945;
const LOG6: f32 = -0.7213529348373413;
const LOG7: f32 = 1.4426950216293335;
const EXP0: f32 = 0.0013390863314270973;
const EXP1: f32 = 0.009676031768321991;
const EXP2: f32 = 0.055503569543361664;
const EXP3: f32 = 0.2402210682630539;
const EXP4: f32 = 0.6931471824645996;
const EXP5: f32 = 1.0000001192092896;

// Errors of a candidate range. Reference: rangeError of rangeSearch.ts and power.ts.

/** a + b·x */
// @ts-ignore: decorator
@inline
function line(a: f32, b: f32, x: v128): v128 {
  return f32x4.add(f32x4.splat(a), f32x4.mul(f32x4.splat(b), x));
}

// @ts-ignore: decorator
@inline
function join(low: v128, high: v128, x: v128): v128 {
  return f32x4.add(low, f32x4.mul(high, x));
}

/** Powers of two that stand for 0, and what is less than them. */
const NOTHING: f32 = -1000;
const LITTLE: f32 = -500;

/** 2.4·log2|x| in each lane; the same operations in the same order as the reference. */
// @ts-ignore: decorator
@inline
function logarithm(error: v128): v128 {
  const x = f32x4.abs(error);
  const shifted = i32x4.sub(x, i32x4.splat(0x3f3504f3));
  const exponent = i32x4.shr_s(shifted, 23);
  const t = f32x4.sub(i32x4.sub(x, i32x4.shl(exponent, 23)), f32x4.splat(1));
  const t2 = f32x4.mul(t, t);
  const series = join(
    join(line(LOG7, LOG6, t), line(LOG5, LOG4, t), t2),
    join(line(LOG3, LOG2, t), line(LOG1, LOG0, t), t2),
    f32x4.mul(t2, t2),
  );
  const log = f32x4.add(f32x4.convert_i32x4_s(exponent), f32x4.mul(t, series));
  const power = f32x4.mul(log, f32x4.splat(2.4));
  const tiny = f32x4.lt(x, f32x4.splat(8.881784197001252e-16));
  return v128.bitselect(f32x4.splat(NOTHING), power, tiny);
}

/** 2^power in each lane, likewise. */
// @ts-ignore: decorator
@inline
function exponential(power: v128): v128 {
  const whole = f32x4.floor(f32x4.add(power, f32x4.splat(0.5)));
  const fraction = f32x4.sub(power, whole);
  const f2 = f32x4.mul(fraction, fraction);
  const series = join(
    join(line(EXP5, EXP4, fraction), line(EXP3, EXP2, fraction), f2),
    line(EXP1, EXP0, fraction),
    f32x4.mul(f2, f2),
  );
  // Next to 2^23, the lowest bits of a float are an integer: here the exponent's.
  const bits = i32x4.shl(f32x4.add(whole, f32x4.splat(8388735)), 23);
  let result = f32x4.mul(bits, series);
  result = v128.bitselect(f32x4.splat(Infinity), result, f32x4.gt(power, f32x4.splat(127)));
  return v128.andnot(result, f32x4.lt(power, f32x4.splat(LITTLE)));
}

/** Sums of a candidate's errors in four f64 lanes, added as (0+2)+(1+3). */
// @ts-ignore: decorator
@inline
function fold(sum01: v128, sum23: v128): f64 {
  const lanes = f64x2.add(sum01, sum23);
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/** The same of four f32 lanes. */
// @ts-ignore: decorator
@inline
export function foldSingle(sum: v128): f64 {
  return fold(f64x2.promote_low_f32x4(sum), promoteHigh(sum));
}

/** Weights after which a sum, which never decreases, is compared with its limit. */
export const CHECK_EVERY: i32 = 64;

// All of these take whole vectors: errors behind the last of n must be 0.

/** Makes the errors behind the last of n zero, up to a whole vector. */
export function clearRest(e: usize, n: i32): void {
  const last = e + (<usize>(n & ~3) << 2);
  if ((n & 3) != 0) v128.store(last, firstLanes(v128.load(last), n & 3));
}

/** Σe² of n errors. */
export function sumSquares(e: usize, n: i32): f64 {
  let sum01 = f64x2.splat(0), sum23 = sum01;
  const end = e + (<usize>n << 2);
  do {
    const error = v128.load(e);
    sum01 = f64x2.add(sum01, squareLow(error));
    sum23 = f64x2.add(sum23, squareHigh(error));
    e += 16;
  } while (e < end);
  return fold(sum01, sum23);
}

/**
 * Σe² of at most CHECK_EVERY errors, summed in f32: close enough where it only tells which candidates
 * to give up, as long as it is neither infinite nor compared with less than SMALLEST_LIMIT.
 */
export function roughSquares(e: usize, n: i32): v128 {
  let sum = f32x4.splat(0);
  const end = e + (<usize>n << 2);
  do {
    const error = v128.load(e);
    sum = f32x4.add(sum, f32x4.mul(error, error));
    e += 16;
  } while (e < end);
  return sum;
}

/**
 * Σ|e|^2.4 of n errors, or something at least as large as `limit` once it is reached. Overwrites the
 * errors: two short loops leave more room for the processor to overlap their rounds than a long one.
 */
export function sumPowers(e: usize, n: i32, limit: f64): f64 {
  const end = e + (<usize>n << 2);
  for (let p = e; p < end; p += 16) v128.store(p, logarithm(v128.load(p)));
  let sum01 = f64x2.splat(0), sum23 = sum01;
  let left = n;
  do {
    const power = exponential(v128.load(e));
    sum01 = f64x2.add(sum01, f64x2.promote_low_f32x4(power));
    sum23 = f64x2.add(sum23, promoteHigh(power));
    e += 16;
    left -= 4;
    if ((left & (CHECK_EVERY - 1)) == 0 && fold(sum01, sum23) >= limit) return limit;
  } while (left > 0);
  return fold(sum01, sum23);
}

/** What f32 rounding may add to a sum of squares, many times over. */
const MARGIN: f64 = 1.001;
/** Below this, squares in f32 may be denormal, and too large. */
const SMALLEST_LIMIT: f64 = 7.888609052210118e-31;

/** Rough squares from which on Σe² is certainly no less than `error`. */
export function squaresLimit(error: f64): f64 {
  const limit = error * MARGIN;
  return limit > SMALLEST_LIMIT ? limit : Infinity;
}

/**
 * Rough squares from which on Σ|e|^2.4 over n weights is certainly no less than `error`: by the
 * inequality of power means Σ|e|^2.4 ≥ n^−0.2 · (Σe²)^1.2.
 */
export function powersLimit(error: f64, n: i32): f64 {
  return squaresLimit(Math.pow(error * Math.pow(<f64>n, 0.2), 1 / 1.2));
}
