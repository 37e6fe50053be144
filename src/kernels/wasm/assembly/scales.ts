import { SCALE_BF16, SCALE_F16 } from './config';

// Rounding of scales to their storage type. The reference is kernels/reference/scales.ts.

// @ts-ignore: decorator
@inline
function roundBits(scale: f32, dropped: u32): f32 {
  const bits = reinterpret<u32>(scale);
  const half = (<u32>1 << (dropped - 1)) - 1 + ((bits >> dropped) & 1);
  return reinterpret<f32>((bits + half) & ~((<u32>1 << dropped) - 1));
}

/** A scale ≥ 0 as the file would hold it: nearest, ties to even, saturating. */
export function storeScale(scale: f32, dtype: i32): f32 {
  if (dtype == SCALE_F16) {
    if (scale >= 65504) return 65504;
    // Adding 0.5 leaves multiples of 2^-24, the subnormal step of f16.
    return scale < <f32>6.103515625e-5 ? scale + 0.5 - 0.5 : roundBits(scale, 13);
  }
  if (dtype == SCALE_BF16) {
    const largest = reinterpret<f32>(0x7f7f0000);
    return scale >= largest ? largest : roundBits(scale, 16);
  }
  return saturate(scale);
}

/** Overflow becomes the largest finite f32. */
// @ts-ignore: decorator
@inline
export function saturate(scale: f32): f32 {
  return min(scale, reinterpret<f32>(0x7f7fffff));
}

/** 1 where the stored scale is farther off than its dtype's own precision, else 0. */
export function scaleIsBad(scale: f32, stored: f32, dtype: i32): i32 {
  const precision = dtype == SCALE_F16 ? 0.00048828125 : dtype == SCALE_BF16 ? 0.001953125 : 0;
  return <i32>!(abs(<f64>stored - <f64>scale) <= <f64>stored * precision);
}

/** What to divide by: a scale rounded to zero makes every weight zero, not NaN. */
// @ts-ignore: decorator
@inline
export function divisorOf(scale: f32): f32 {
  return scale == 0 ? f32.POSITIVE_INFINITY : scale;
}
