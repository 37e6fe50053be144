// Widening of 16-bit floats to f32. Inputs may be padded: up to 15 elements beyond n are written.

/** BF16 → F32: the bits are the upper half. */
export function decodeBF16(source: usize, target: usize, n: i32): void {
  const zero = f32x4.splat(0);
  const end = source + (<usize>n << 1);
  do {
    const v = v128.load(source), w = v128.load(source, 16);
    v128.store(target, v128.shuffle<u16>(zero, v, 0, 8, 1, 9, 2, 10, 3, 11));
    v128.store(target, v128.shuffle<u16>(zero, v, 4, 12, 5, 13, 6, 14, 7, 15), 16);
    v128.store(target, v128.shuffle<u16>(zero, w, 0, 8, 1, 9, 2, 10, 3, 11), 32);
    v128.store(target, v128.shuffle<u16>(zero, w, 4, 12, 5, 13, 6, 14, 7, 15), 48);
    source += 32;
    target += 64;
  } while (source < end);
}

/**
 * F16 bits in four u32 lanes → F32: the exponent is moved by an addition. Subnormals get one binade
 * more and lose it again by a subtraction; no arithmetic touches a denormal, which would be slow.
 */
// @ts-ignore: decorator
@inline
function widen(bits: v128): v128 {
  const magnitude = i32x4.shl(v128.and(bits, i32x4.splat(0x7fff)), 13);
  const normal = i32x4.add(magnitude, i32x4.splat(112 << 23));
  const special = v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x0f7fffff)), i32x4.splat(112 << 23));
  const subnormal = f32x4.sub(
    i32x4.add(magnitude, i32x4.splat(113 << 23)),
    i32x4.splat(113 << 23),
  );
  const isSubnormal = i32x4.lt_s(magnitude, i32x4.splat(1 << 23));
  const widened = v128.bitselect(subnormal, i32x4.add(normal, special), isSubnormal);
  return v128.or(widened, i32x4.shl(v128.and(bits, i32x4.splat(0x8000)), 16));
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
