// Rounding of f32 to integers. Adding 1.5·2^23 leaves the nearest integer, ties to even, in the low
// bits; beyond magnitudes of 2^22 those bits are whatever ggml takes them for.

const SHIFT: f32 = 12582912;

/** Reference: nearestInteger. */
// @ts-ignore: decorator
@inline
export function nearestInteger(value: f32): i32 {
  return (reinterpret<i32>(value + SHIFT) & 0x7fffff) - 0x400000;
}

/** The same for four lanes, clamped to low … high (i32 lanes). */
// @ts-ignore: decorator
@inline
export function nearestIntegers(value: v128, low: v128, high: v128): v128 {
  const bits = v128.and(f32x4.add(value, f32x4.splat(SHIFT)), i32x4.splat(0x7fffff));
  return i32x4.min_s(i32x4.max_s(i32x4.sub(bits, i32x4.splat(0x400000)), low), high);
}

/** Small integers held as f32 → i32 lanes. */
// @ts-ignore: decorator
@inline
function integers(value: v128): v128 {
  return i32x4.sub(f32x4.add(value, f32x4.splat(SHIFT)), i32x4.splat(0x4b400000));
}

/** Sixteen integers of −128 … 127 held as f32 → bytes. */
// @ts-ignore: decorator
@inline
export function bytesOf(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_s(
    i16x8.narrow_i32x4_s(integers(a), integers(b)),
    i16x8.narrow_i32x4_s(integers(c), integers(d)),
  );
}

/** 1/scale, or 0 where the scale is 0. */
// @ts-ignore: decorator
@inline
export function inverseOf(scale: f32): f32 {
  return scale == 0 ? 0 : <f32>1 / scale;
}
