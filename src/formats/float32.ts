const floatView = new Float32Array(1);
const bitsView = new Int32Array(floatView.buffer);

/** Position of a finite f32 in the ascending order of all f32 values (−0 and +0 coincide at 0). */
export function orderOfFloat32(value: number): number {
  floatView[0] = value;
  const bits = bitsView[0];
  return bits >= 0 ? bits : -(bits & 0x7fffffff);
}

/** Inverse of {@link orderOfFloat32}. */
export function float32OfOrder(order: number): number {
  bitsView[0] = order >= 0 ? order : -order | 0x80000000;
  return floatView[0];
}

/** Rounds to the nearest integer, halves to the even one, −0 kept; exact for every double. */
export function roundHalfEven(value: number): number {
  if (Math.abs(value) >= 2 ** 51) return value;
  const shift = 6755399441055744; // 1.5 · 2^52: adding it leaves no fraction bits
  const magnitude = Math.abs(value) + shift - shift;
  return value < 0 || Object.is(value, -0) ? -magnitude : magnitude;
}

/** Largest finite value of each scale type. */
const LARGEST_F16 = 65504;
const LARGEST_BF16 = (2 - 2 ** -7) * 2 ** 127;
const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

/** Rounds to a binary float type by its definition; saturates instead of overflowing. */
function roundToBinaryFloat(
  value: number,
  fractionBits: number,
  minExponent: number,
  largest: number,
): number {
  const magnitude = Math.abs(value);
  if (magnitude === 0 || Number.isNaN(value)) return value;
  if (magnitude === Infinity) return Math.sign(value) * largest;
  let exponent = Math.max(Math.floor(Math.log2(magnitude)), minExponent);
  // log2 may be off by one next to a power of two.
  if (exponent > minExponent && 2 ** exponent > magnitude) exponent--;
  if (2 ** (exponent + 1) <= magnitude) exponent++;
  const step = 2 ** (exponent - fractionBits);
  const rounded = roundHalfEven(magnitude / step) * step;
  return Math.sign(value) * Math.min(rounded, largest);
}

/** Nearest IEEE binary16 value, ties to even, saturating at ±65504. */
export function roundToF16(value: number): number {
  return roundToBinaryFloat(value, 10, -14, LARGEST_F16);
}

/** Nearest bfloat16 value, ties to even, saturating at its largest finite value. */
export function roundToBF16(value: number): number {
  return roundToBinaryFloat(value, 7, -126, LARGEST_BF16);
}

/** An f32 value as it is, but saturating at the largest finite f32. */
export function saturateF32(value: number): number {
  return Math.min(Math.max(value, -LARGEST_F32), LARGEST_F32);
}
