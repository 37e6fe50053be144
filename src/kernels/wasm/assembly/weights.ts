import {
  findExtremes, highest, largest, lowest, smallest, squareHigh, squareLow, sumOfLanes,
} from './lanes';

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
  const exponent = i32x4.splat(0x7f800000);
  let sum01 = zero,
    sum23 = zero,
    zeros = zero,
    special = zero;
  let low = v128.load32_splat(x),
    high = low;
  const end = x + ((<usize>n) << 2);
  const wide = x + (((<usize>n) >> 2) << 4);
  while (x < wide) {
    const w = v128.load(x);
    low = f32x4.pmin(low, w);
    high = f32x4.pmax(high, w);
    sum01 = f64x2.add(sum01, squareLow(w));
    sum23 = f64x2.add(sum23, squareHigh(w));
    zeros = i32x4.sub(zeros, f32x4.eq(w, zero));
    special = v128.or(special, i32x4.eq(v128.and(w, exponent), exponent));
    x += 16;
  }
  v128.store(out, sum01);
  v128.store(out, sum23, 16);
  let least = lowest(low),
    greatest = highest(high),
    zeroCount = sumOfLanes(zeros);
  let finite = <i32>!v128.any_true(special);
  for (let lane = out; x < end; x += 4, lane += 8) {
    const w = load<f32>(x);
    store<f64>(lane, load<f64>(lane) + <f64>w * <f64>w);
    least = w < least ? w : least;
    greatest = w > greatest ? w : greatest;
    zeroCount += <i32>(w == 0);
    finite &= <i32>((reinterpret<u32>(w) & 0x7f800000) != 0x7f800000);
  }
  store<f64>(out, <f64>least, 32);
  store<f64>(out, <f64>greatest, 40);
  store<f64>(out, <f64>zeroCount, 48);
  return finite;
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
