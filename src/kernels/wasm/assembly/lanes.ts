// Helpers over four f32 lanes. All are inlined: a call per vector would cost more than the work.

// @ts-ignore: decorator
@inline
export function lowest(v: v128): f32 {
  v = f32x4.pmin(v, v128.shuffle<u32>(v, v, 2, 3, 0, 1));
  v = f32x4.pmin(v, v128.shuffle<u32>(v, v, 1, 0, 3, 2));
  return f32x4.extract_lane(v, 0);
}

// @ts-ignore: decorator
@inline
export function highest(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<u32>(v, v, 2, 3, 0, 1));
  v = f32x4.pmax(v, v128.shuffle<u32>(v, v, 1, 0, 3, 2));
  return f32x4.extract_lane(v, 0);
}

// @ts-ignore: decorator
@inline
export function sumOfLanes(v: v128): i32 {
  return (
    i32x4.extract_lane(v, 0) +
    i32x4.extract_lane(v, 1) +
    i32x4.extract_lane(v, 2) +
    i32x4.extract_lane(v, 3)
  );
}

/** Keeps the first `left` of four lanes; the others become +0. */
// @ts-ignore: decorator
@inline
export function firstLanes(v: v128, left: i32): v128 {
  return v128.and(v, i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(left)));
}

/** Lanes 2 and 3 in f64. */
// @ts-ignore: decorator
@inline
export function promoteHigh(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<u64>(v, v, 1, 0));
}

/** Lanes 0 and 1, squared in f64. */
// @ts-ignore: decorator
@inline
export function squareLow(v: v128): v128 {
  const wide = f64x2.promote_low_f32x4(v);
  return f64x2.mul(wide, wide);
}

/** Lanes 2 and 3, squared in f64. */
// @ts-ignore: decorator
@inline
export function squareHigh(v: v128): v128 {
  const wide = f64x2.promote_low_f32x4(v128.shuffle<u64>(v, v, 1, 0));
  return f64x2.mul(wide, wide);
}

/** Extremes of the floats that {@link findExtremes} saw last; never −0. */
export let smallest: f32 = 0;
export let largest: f32 = 0;

/** Finds the smallest and the largest of n ≥ 1 floats at p. */
export function findExtremes(p: usize, n: i32): void {
  let low0 = v128.load32_splat(p);
  let low1 = low0, low2 = low0, low3 = low0;
  let high0 = low0, high1 = low0, high2 = low0, high3 = low0;
  const end = p + (<usize>n << 2);
  const wide = p + ((<usize>n >> 4) << 6);
  if (n >= 16) {
    do {
      const a = v128.load(p), b = v128.load(p, 16), c = v128.load(p, 32), d = v128.load(p, 48);
      low0 = f32x4.pmin(low0, a);
      high0 = f32x4.pmax(high0, a);
      low1 = f32x4.pmin(low1, b);
      high1 = f32x4.pmax(high1, b);
      low2 = f32x4.pmin(low2, c);
      high2 = f32x4.pmax(high2, c);
      low3 = f32x4.pmin(low3, d);
      high3 = f32x4.pmax(high3, d);
      p += 64;
    } while (p < wide);
    low0 = f32x4.pmin(f32x4.pmin(low0, low1), f32x4.pmin(low2, low3));
    high0 = f32x4.pmax(f32x4.pmax(high0, high1), f32x4.pmax(high2, high3));
  }
  if (n >= 4) {
    // The last vector may overlap the one before.
    while (p < end) {
      const w = v128.load(min(p, end - 16));
      low0 = f32x4.pmin(low0, w);
      high0 = f32x4.pmax(high0, w);
      p += 16;
    }
  }
  let low = lowest(low0);
  let high = highest(high0);
  while (p < end) {
    const w = load<f32>(p);
    low = w < low ? w : low;
    high = w > high ? w : high;
    p += 4;
  }
  // Vector minima leave the sign of a zero to chance.
  smallest = low + 0;
  largest = high + 0;
}
