// Helpers over vector lanes. All are inlined: a call per vector would cost more than the work.

/** a·b + c, in one rounding where the build has fused multiply-add. */
// @ts-ignore: decorator
@inline
export function multiplyAdd(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** Lanes 2 and 3 in f64. */
// @ts-ignore: decorator
@inline
export function promoteHigh(v: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<u64>(v, v, 1, 0));
}

/** Sum of two f64 lanes. */
// @ts-ignore: decorator
@inline
export function sumOfWideLanes(v: v128): f64 {
  return f64x2.extract_lane(v, 0) + f64x2.extract_lane(v, 1);
}

/** f64 sums + four f32 lanes. */
// @ts-ignore: decorator
@inline
export function addWide(sums: v128, v: v128): v128 {
  return f64x2.add(sums, f64x2.add(f64x2.promote_low_f32x4(v), promoteHigh(v)));
}

/** The largest of four f32 lanes; NaN loses. */
// @ts-ignore: decorator
@inline
export function highestLane(v: v128): f32 {
  v = f32x4.pmax(v, v128.shuffle<u32>(v, v, 2, 3, 0, 1));
  v = f32x4.pmax(v, v128.shuffle<u32>(v, v, 1, 0, 3, 2));
  return f32x4.extract_lane(v, 0);
}

/** Up to three floats and zeros after them: what remains of a row. */
// @ts-ignore: decorator
@inline
export function loadPart(p: usize, count: i32): v128 {
  let v = v128.load32_zero(p);
  if (count > 1) v = f32x4.replace_lane(v, 1, load<f32>(p, 4));
  if (count > 2) v = f32x4.replace_lane(v, 2, load<f32>(p, 8));
  return v;
}

/** Stores the first `count` of up to three lanes. */
// @ts-ignore: decorator
@inline
export function storePart(p: usize, v: v128, count: i32): void {
  v128.store_lane<u32>(p, v, 0);
  if (count > 1) v128.store_lane<u32>(p, v, 1, 4);
  if (count > 2) v128.store_lane<u32>(p, v, 2, 8);
}

/** Stores the transpose of four rows of four lanes: p, p + step, … get a column each. */
// @ts-ignore: decorator
@inline
export function transpose(a: v128, b: v128, c: v128, d: v128, p: usize, step: usize): void {
  const ab01 = v128.shuffle<u32>(a, b, 0, 4, 1, 5), ab23 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const cd01 = v128.shuffle<u32>(c, d, 0, 4, 1, 5), cd23 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(p, v128.shuffle<u64>(ab01, cd01, 0, 2));
  v128.store(p + step, v128.shuffle<u64>(ab01, cd01, 1, 3));
  p += step << 1;
  v128.store(p, v128.shuffle<u64>(ab23, cd23, 0, 2));
  v128.store(p + step, v128.shuffle<u64>(ab23, cd23, 1, 3));
}
