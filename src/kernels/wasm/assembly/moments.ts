import { highest, lowest, sumOfLanes } from './lanes';

/**
 * First pass over n ≥ 1 weights.
 * @param out f64: sum, min, max, zeros
 * @returns 1 where all weights are finite; otherwise the results mean nothing
 */
export function sumForMean(x: usize, n: i32, out: usize): i32 {
  const zero = f32x4.splat(0);
  let sums = f64x2.splat(0), others = sums;
  let zeros = zero;
  let low = v128.load32_splat(x), high = low;
  const end = x + ((<usize>n) << 2);
  for (const wide = x + (((<usize>n) >> 2) << 4); x < wide; x += 16) {
    const w = v128.load(x);
    low = f32x4.pmin(low, w);
    high = f32x4.pmax(high, w);
    zeros = i32x4.sub(zeros, f32x4.eq(w, zero));
    sums = f64x2.add(sums, f64x2.promote_low_f32x4(w));
    others = f64x2.add(others, f64x2.promote_low_f32x4(v128.load64_zero(x, 8)));
  }
  sums = f64x2.add(sums, others);
  let sum = f64x2.extract_lane(sums, 0) + f64x2.extract_lane(sums, 1);
  let least = lowest(low), greatest = highest(high), zeroCount = sumOfLanes(zeros);
  for (; x < end; x += 4) {
    const w = load<f32>(x);
    sum += <f64>w;
    least = w < least ? w : least;
    greatest = w > greatest ? w : greatest;
    zeroCount += <i32>(w == 0);
  }
  store<f64>(out, sum);
  store<f64>(out, <f64>least, 8);
  store<f64>(out, <f64>greatest, 16);
  store<f64>(out, <f64>zeroCount, 24);
  // A sum of finite floats cannot overflow an f64, while NaN and ±Inf stay in it.
  return <i32>(abs(sum) < Infinity);
}

/** Second pass: central moments of n finite weights. @param out f64: Σ(x−mean)^k for k = 2, 3, 4 */
export function sumPowersAround(x: usize, n: i32, mean: f64, out: usize): void {
  const centre = f64x2.splat(mean);
  let second = f64x2.splat(0), third = second, fourth = second;
  const end = x + ((<usize>n) << 2);
  for (const wide = x + (((<usize>n) >> 1) << 3); x < wide; x += 8) {
    const d = f64x2.sub(f64x2.promote_low_f32x4(v128.load64_zero(x)), centre);
    const square = f64x2.mul(d, d);
    second = f64x2.add(second, square);
    third = f64x2.add(third, f64x2.mul(square, d));
    fourth = f64x2.add(fourth, f64x2.mul(square, square));
  }
  let m2 = f64x2.extract_lane(second, 0) + f64x2.extract_lane(second, 1);
  let m3 = f64x2.extract_lane(third, 0) + f64x2.extract_lane(third, 1);
  let m4 = f64x2.extract_lane(fourth, 0) + f64x2.extract_lane(fourth, 1);
  if (x < end) {
    const d = <f64>load<f32>(x) - mean;
    m2 += d * d;
    m3 += d * d * d;
    m4 += d * d * d * d;
  }
  store<f64>(out, m2);
  store<f64>(out, m3, 8);
  store<f64>(out, m4, 16);
}
