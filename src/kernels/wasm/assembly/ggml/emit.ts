/** All ones where a scale can be divided by, else zeros: no step error, nothing clipped. */
// @ts-ignore: decorator
@inline
export function usable(scale: f32): v128 {
  const magnitude = abs(scale);
  return i32x4.splat(-<i32>(magnitude > 0 && magnitude < Infinity));
}

/**
 * Stores four dequantized weights and their step errors. Reference: dequantizeGgmlBlock and
 * ggmlStepErrors on evenly spaced levels.
 * @param level integers as f32; @param scaled (w − offset)/scale
 * @param offset −0 where the type has none
 * @param bottom, top half a step beyond the outermost levels
 * @returns all ones in the lanes that are clipped
 */
// @ts-ignore: decorator
@inline
export function emit(
  level: v128, scaled: v128, scale: v128, offset: v128, mask: v128, bottom: v128, top: v128,
  y: usize, u: usize,
): v128 {
  v128.store(y, f32x4.add(f32x4.mul(level, scale), offset));
  v128.store(u, v128.and(f32x4.sub(level, scaled), mask));
  return v128.and(v128.or(f32x4.gt(scaled, top), f32x4.lt(scaled, bottom)), mask);
}
