import { findExtremes, highest, largest, lowest, smallest, sumOfLanes } from './lanes';

/**
 * Replaces NaN and ±Inf by 0.
 * @returns their number; the index of the first is stored as i32 at `first` (−1 where none)
 */
export function replaceNonFinite(x: usize, n: i32, first: usize): i32 {
  let count = 0;
  store<i32>(first, -1);
  for (let i = 0; i < n; i++) {
    const at = x + ((<usize>i) << 2);
    if ((load<u32>(at) & 0x7f800000) == 0x7f800000) {
      if (count == 0) store<i32>(first, i);
      count++;
      store<f32>(at, 0);
    }
  }
  return count;
}

/**
 * Sums over n ≥ 1 weights at x.
 * @param out f64 lanes of Σw² [4], then min, max, zeros
 * @returns 1 where all weights are finite; otherwise the sums mean nothing
 */
export function sumWeights(x: usize, n: i32, out: usize): i32 {
  const zero = f32x4.splat(0);
  let sum01 = zero, sum23 = zero, zeros = zero;
  let low = v128.load32_splat(x), high = low;
  const end = x + ((<usize>n) << 2);
  const wide = x + (((<usize>n) >> 2) << 4);
  if (n >= 4) {
    do {
      const w = v128.load(x);
      low = f32x4.pmin(low, w);
      high = f32x4.pmax(high, w);
      zeros = i32x4.sub(zeros, f32x4.eq(w, zero));
      const w01 = f64x2.promote_low_f32x4(v128.load64_zero(x));
      const w23 = f64x2.promote_low_f32x4(v128.load64_zero(x, 8));
      sum01 = f64x2.add(sum01, f64x2.mul(w01, w01));
      sum23 = f64x2.add(sum23, f64x2.mul(w23, w23));
      x += 16;
    } while (x < wide);
  }
  v128.store(out, sum01);
  v128.store(out, sum23, 16);
  let least = lowest(low), greatest = highest(high), zeroCount = sumOfLanes(zeros);
  for (let lane = out; x < end; x += 4, lane += 8) {
    const w = load<f32>(x);
    store<f64>(lane, load<f64>(lane) + <f64>w * <f64>w);
    least = w < least ? w : least;
    greatest = w > greatest ? w : greatest;
    zeroCount += <i32>(w == 0);
  }
  store<f64>(out, <f64>least, 32);
  store<f64>(out, <f64>greatest, 40);
  store<f64>(out, <f64>zeroCount, 48);
  // Squares of finite floats cannot overflow an f64, while NaN and ±Inf stay in a sum.
  const sum = load<f64>(out) + load<f64>(out, 8) + load<f64>(out, 16) + load<f64>(out, 24);
  return <i32>(sum < Infinity);
}

/** Largest positive weight and magnitude of the most negative one of each group, 0 where none. */
export function groupExtremes(
  x: usize,
  rows: i32,
  columns: i32,
  groupSize: i32,
  positive: usize,
  negative: usize,
): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupSize) {
      const n = min(groupSize, columns - column);
      const p = x + ((<usize>(row * columns + column)) << 2);
      findExtremes(p, n);
      store<f32>(positive, max(largest, 0));
      store<f32>(negative, 0 - min(smallest, 0));
      positive += 4;
      negative += 4;
    }
  }
}
