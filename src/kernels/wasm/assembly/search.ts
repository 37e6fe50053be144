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

/** |x|^2.4 in each lane; the same operations in the same order as the reference. */
// @ts-ignore: decorator
@inline
function powerTwoPointFour(error: v128): v128 {
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
  const logarithm = f32x4.add(f32x4.convert_i32x4_s(exponent), f32x4.mul(t, series));
  const power = f32x4.mul(logarithm, f32x4.splat(2.4));
  const whole = f32x4.floor(f32x4.add(power, f32x4.splat(0.5)));
  const fraction = f32x4.sub(power, whole);
  const f2 = f32x4.mul(fraction, fraction);
  let result = join(
    join(line(EXP5, EXP4, fraction), line(EXP3, EXP2, fraction), f2),
    line(EXP1, EXP0, fraction),
    f32x4.mul(f2, f2),
  );
  const bits = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), 23);
  result = f32x4.mul(bits, result);
  result = v128.bitselect(f32x4.splat(Infinity), result, f32x4.gt(power, f32x4.splat(127)));
  return v128.andnot(result, f32x4.lt(x, f32x4.splat(8.881784197001252e-16)));
}

/**
 * Sums of a candidate's errors in four f64 lanes, added as (0+2)+(1+3). Neither sum ever decreases,
 * so a candidate may be given up once it has reached a limit.
 */
// @ts-ignore: decorator
@inline
function fold(sum01: v128, sum23: v128): f64 {
  const lanes = f64x2.add(sum01, sum23);
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}

/** Weights after which a sum is compared with its limit. */
export const CHECK_EVERY: i32 = 64;

// Lanes of the squared error at work: it is taken part by part, between quantizing.
let squares0: f64 = 0, squares1: f64 = 0, squares2: f64 = 0, squares3: f64 = 0;

export function startSquares(): void {
  squares0 = 0;
  squares1 = 0;
  squares2 = 0;
  squares3 = 0;
}

/** Adds (ŵ−w)² of n weights; returns the sum so far. */
export function addSquares(x: usize, y: usize, n: i32): f64 {
  let sum01 = f64x2(squares0, squares1), sum23 = f64x2(squares2, squares3);
  let left = n;
  do {
    let error = f32x4.sub(v128.load(y), v128.load(x));
    if (left < 4) error = firstLanes(error, left);
    sum01 = f64x2.add(sum01, squareLow(error));
    sum23 = f64x2.add(sum23, squareHigh(error));
    x += 16;
    y += 16;
    left -= 4;
  } while (left > 0);
  squares0 = f64x2.extract_lane(sum01, 0);
  squares1 = f64x2.extract_lane(sum01, 1);
  squares2 = f64x2.extract_lane(sum23, 0);
  squares3 = f64x2.extract_lane(sum23, 1);
  return fold(sum01, sum23);
}

/**
 * Σ(ŵ−w)² of at most CHECK_EVERY weights, summed in f32: close enough where it only tells which
 * candidates to give up, see {@link squaresLimit}.
 */
export function roughSquares(x: usize, y: usize, n: i32): f64 {
  let sum = f32x4.splat(0);
  let left = n;
  do {
    let error = f32x4.sub(v128.load(y), v128.load(x));
    if (left < 4) error = firstLanes(error, left);
    sum = f32x4.add(sum, f32x4.mul(error, error));
    x += 16;
    y += 16;
    left -= 4;
  } while (left > 0);
  return fold(f64x2.promote_low_f32x4(sum), promoteHigh(sum));
}

/** Σ|ŵ−w|^2.4 of n weights, or something at least as large as `limit` once it is reached. */
export function sumPowers(x: usize, y: usize, n: i32, limit: f64): f64 {
  let sum01 = f64x2.splat(0), sum23 = sum01;
  let left = n;
  do {
    let error = f32x4.sub(v128.load(y), v128.load(x));
    if (left < 4) error = firstLanes(error, left);
    const power = powerTwoPointFour(error);
    sum01 = f64x2.add(sum01, f64x2.promote_low_f32x4(power));
    sum23 = f64x2.add(sum23, promoteHigh(power));
    x += 16;
    y += 16;
    left -= 4;
    if ((left & (CHECK_EVERY - 1)) == 0 && fold(sum01, sum23) >= limit) return limit;
  } while (left > 0);
  return fold(sum01, sum23);
}

/**
 * Squared error from which on Σ|e|^2.4 over n weights is certainly no less than `error`: by the
 * inequality of power means Σ|e|^2.4 ≥ n^−0.2 · (Σe²)^1.2. A margin covers all rounding.
 */
export function squaresLimit(error: f64, n: i32): f64 {
  return Math.pow(error * Math.pow(<f64>n, 0.2), 1 / 1.2) * 1.001;
}
