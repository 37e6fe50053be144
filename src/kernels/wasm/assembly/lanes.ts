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

/** Smallest of n ≥ 1 floats at p. */
export function smallest(p: usize, n: i32): f32 {
  let a = v128.load32_splat(p);
  let b = a;
  const end = p + (<usize>n << 2);
  const wide = p + ((<usize>n >> 3) << 5);
  while (p < wide) {
    a = f32x4.pmin(a, v128.load(p));
    b = f32x4.pmin(b, v128.load(p, 16));
    p += 32;
  }
  let low = lowest(f32x4.pmin(a, b));
  while (p < end) {
    const x = load<f32>(p);
    low = x < low ? x : low;
    p += 4;
  }
  // Never −0, which vector minima leave to chance.
  return low + 0;
}

/** Largest of n ≥ 1 floats at p. */
export function largest(p: usize, n: i32): f32 {
  let a = v128.load32_splat(p);
  let b = a;
  const end = p + (<usize>n << 2);
  const wide = p + ((<usize>n >> 3) << 5);
  while (p < wide) {
    a = f32x4.pmax(a, v128.load(p));
    b = f32x4.pmax(b, v128.load(p, 16));
    p += 32;
  }
  let high = highest(f32x4.pmax(a, b));
  while (p < end) {
    const x = load<f32>(p);
    high = x > high ? x : high;
    p += 4;
  }
  return high + 0;
}
