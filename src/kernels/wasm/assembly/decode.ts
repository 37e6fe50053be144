// Widening of 16-bit floats to f32. Inputs may be padded: up to 7 elements beyond n are written.

/** BF16 → F32: the bits are the upper half. */
export function decodeBF16(source: usize, target: usize, n: i32): void {
  const zero = f32x4.splat(0);
  const end = source + (<usize>n << 1);
  do {
    const v = v128.load(source);
    v128.store(target, v128.shuffle<u16>(zero, v, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(target, v128.shuffle<u16>(zero, v, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    source += 16;
    target += 32;
  } while (source < end);
}

/** F16 bits in four u32 lanes → F32: exponent moved by a multiplication, which also normalises. */
// @ts-ignore: decorator
@inline
function widen(bits: v128): v128 {
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  // 2^112 turns the f16 exponent, read as one of f32, into its true value.
  const scaled = f32x4.mul(magnitude, i32x4.splat(0x77800000));
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x0f7fffff)), i32x4.splat(0x7f800000));
  return v128.or(
    v128.or(scaled, special),
    i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16),
  );
}

/** F16 → F32. */
export function decodeF16(source: usize, target: usize, n: i32): void {
  const end = source + (<usize>n << 1);
  do {
    const v = v128.load(source);
    v128.store(target, widen(i32x4.extend_low_i16x8_u(v)));
    v128.store(target, widen(i32x4.extend_high_i16x8_u(v)), 16);
    source += 16;
    target += 32;
  } while (source < end);
}
