import { firstLanes, promoteHigh, squareHigh, squareLow } from './lanes';

// Series of power.ts, highest powers first: eight of log2(1+t)/t, six of 2^f; then other constants. In
// memory, because V8 builds a vector constant anew in every round of a loop.
const CONSTANTS = memory.data<f32>([
  -0.14275974035263062, 0.23265257477760315, -0.24927182495594025, 0.2872888743877411,
  -0.3602251708507538, 0.48091670870780945, -0.7213529348373413, 1.4426950216293335,
  0.0013390863314270973, 0.009676031768321991, 0.055503569543361664, 0.2402210682630539,
  0.6931471824645996, 1.0000001192092896,
  0.70710676908493042, 2.4, 8.881784197001252e-16, -1000, 0.5, 8388735, 127, -500,
]);
/** Offsets: √½, the exponent 2.4, the least error that counts. */
const ROOT: usize = 56;
const EXPONENT: usize = 60;
const LEAST: usize = 64;
/** A logarithm that stands for that of 0, and what is greater than it. */
const NOTHING: usize = 68;
const HALF: usize = 72;
/** 2^23 + 127 */
const BIAS: usize = 76;
const LARGEST: usize = 80;
const LITTLE: usize = 84;

// @ts-ignore: decorator
@inline
function constant(offset: usize): v128 {
  return v128.load32_splat(CONSTANTS + offset);
}

// Errors of a candidate range. Reference: rangeError of rangeSearch.ts and power.ts.

/** Two neighbouring terms of a series: the constant at `at` times x, and the next. */
// @ts-ignore: decorator
@inline
function line(at: usize, x: v128): v128 {
  return f32x4.add(constant(at + 4), f32x4.mul(constant(at), x));
}

// @ts-ignore: decorator
@inline
function join(low: v128, high: v128, x: v128): v128 {
  return f32x4.add(low, f32x4.mul(high, x));
}

/** 2.4·log2|x| in each lane; the same operations in the same order as the reference. */
// @ts-ignore: decorator
@inline
function logarithm(error: v128): v128 {
  const x = f32x4.abs(error);
  const shifted = i32x4.sub(x, constant(ROOT));
  const exponent = i32x4.shr_s(shifted, 23);
  const t = f32x4.sub(i32x4.sub(x, i32x4.shl(exponent, 23)), f32x4.splat(1));
  const t2 = f32x4.mul(t, t);
  const series = join(
    join(line(24, t), line(16, t), t2),
    join(line(8, t), line(0, t), t2),
    f32x4.mul(t2, t2),
  );
  const log = f32x4.add(f32x4.convert_i32x4_s(exponent), f32x4.mul(t, series));
  const power = f32x4.mul(log, constant(EXPONENT));
  const tiny = f32x4.lt(x, constant(LEAST));
  return v128.bitselect(constant(NOTHING), power, tiny);
}

/** 2^power in each lane, likewise. */
// @ts-ignore: decorator
@inline
function exponential(power: v128): v128 {
  const whole = f32x4.floor(f32x4.add(power, constant(HALF)));
  const fraction = f32x4.sub(power, whole);
  const f2 = f32x4.mul(fraction, fraction);
  const series = join(
    join(line(48, fraction), line(40, fraction), f2),
    line(32, fraction),
    f32x4.mul(f2, f2),
  );
  // Next to 2^23, the lowest bits of a float are an integer: here the exponent's.
  const bits = i32x4.shl(f32x4.add(whole, constant(BIAS)), 23);
  let result = f32x4.mul(bits, series);
  result = v128.bitselect(f32x4.splat(Infinity), result, f32x4.gt(power, constant(LARGEST)));
  return v128.andnot(result, f32x4.lt(power, constant(LITTLE)));
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

/** Σ|e|^2.4 of at most CHECK_EVERY errors, added to the sums; overwrites the errors. */
function addPowers(e: usize, n: i32): void {
  const end = e + (<usize>n << 2);
  // Short loops leave more room for the processor to overlap their rounds than a long one.
  for (let p = e; p < end; p += 16) v128.store(p, logarithm(v128.load(p)));
  for (let p = e; p < end; p += 16) v128.store(p, exponential(v128.load(p)));
  let sum01 = f64x2(powers0, powers1), sum23 = f64x2(powers2, powers3);
  for (; e < end; e += 16) {
    const power = v128.load(e);
    sum01 = f64x2.add(sum01, f64x2.promote_low_f32x4(power));
    sum23 = f64x2.add(sum23, promoteHigh(power));
  }
  powers0 = f64x2.extract_lane(sum01, 0);
  powers1 = f64x2.extract_lane(sum01, 1);
  powers2 = f64x2.extract_lane(sum23, 0);
  powers3 = f64x2.extract_lane(sum23, 1);
}

let powers0: f64 = 0, powers1: f64 = 0, powers2: f64 = 0, powers3: f64 = 0;

/** Σ|e|^2.4 of n errors, or a part of it that has reached `limit`; overwrites the errors. */
export function sumPowers(e: usize, n: i32, limit: f64): f64 {
  powers0 = 0;
  powers1 = 0;
  powers2 = 0;
  powers3 = 0;
  let sum: f64 = 0;
  for (; n > 0 && sum < limit; n -= CHECK_EVERY) {
    addPowers(e, min(n, CHECK_EVERY));
    sum = powers0 + powers2 + (powers1 + powers3);
    e += CHECK_EVERY << 2;
  }
  return sum;
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
