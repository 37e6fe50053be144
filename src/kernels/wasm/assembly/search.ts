import { Config, SEARCH_MSE } from './config';

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

// @ts-ignore: decorator
@inline
function term(power: v128, coefficient: f32, x: v128): v128 {
  return f32x4.add(f32x4.mul(power, x), f32x4.splat(coefficient));
}

/** |x|^2.4 in each lane; the same operations in the same order as the reference. */
// @ts-ignore: decorator
@inline
function powerTwoPointFour(error: v128): v128 {
  const x = f32x4.abs(error);
  const shifted = i32x4.sub(x, i32x4.splat(0x3f3504f3));
  const exponent = i32x4.shr_s(shifted, 23);
  const t = f32x4.sub(i32x4.sub(x, i32x4.shl(exponent, 23)), f32x4.splat(1));
  let series = f32x4.splat(LOG0);
  series = term(series, LOG1, t);
  series = term(series, LOG2, t);
  series = term(series, LOG3, t);
  series = term(series, LOG4, t);
  series = term(series, LOG5, t);
  series = term(series, LOG6, t);
  series = term(series, LOG7, t);
  const logarithm = f32x4.add(f32x4.convert_i32x4_s(exponent), f32x4.mul(t, series));
  const power = f32x4.mul(logarithm, f32x4.splat(2.4));
  const whole = f32x4.floor(f32x4.add(power, f32x4.splat(0.5)));
  const fraction = f32x4.sub(power, whole);
  let result = f32x4.splat(EXP0);
  result = term(result, EXP1, fraction);
  result = term(result, EXP2, fraction);
  result = term(result, EXP3, fraction);
  result = term(result, EXP4, fraction);
  result = term(result, EXP5, fraction);
  const bits = i32x4.shl(i32x4.add(i32x4.trunc_sat_f32x4_s(whole), i32x4.splat(127)), 23);
  result = f32x4.mul(bits, result);
  result = v128.bitselect(f32x4.splat(Infinity), result, f32x4.gt(power, f32x4.splat(127)));
  return v128.andnot(result, f32x4.lt(x, f32x4.splat(8.881784197001252e-16)));
}

/** Keeps the first `left` of four lanes. */
// @ts-ignore: decorator
@inline
function firstLanes(v: v128, left: i32): v128 {
  return v128.and(v, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left)));
}

/** Σ|ŵ−w|^2.4 or Σ(ŵ−w)² of a group, in four f64 lanes added as (0+2)+(1+3). */
export function candidateError(config: Config, x: usize, y: usize, n: i32): f64 {
  let low = f64x2.splat(0), high = low;
  const norm24 = config.search == SEARCH_MSE;
  let left = n;
  do {
    let error = f32x4.sub(v128.load(y), v128.load(x));
    if (left < 4) error = firstLanes(error, left);
    if (norm24) {
      const power = powerTwoPointFour(error);
      low = f64x2.add(low, f64x2.promote_low_f32x4(power));
      high = f64x2.add(high, f64x2.promote_low_f32x4(v128.shuffle<u64>(power, power, 1, 0)));
    } else {
      const a = f64x2.promote_low_f32x4(error);
      const b = f64x2.promote_low_f32x4(v128.shuffle<u64>(error, error, 1, 0));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
    }
    x += 16;
    y += 16;
    left -= 4;
  } while (left > 0);
  const lanes = f64x2.add(low, high);
  return f64x2.extract_lane(lanes, 0) + f64x2.extract_lane(lanes, 1);
}
