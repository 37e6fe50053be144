import { roundToF16 } from '../../../formats/float32.js';
import { f16FromBits } from '../../../storage/elementValues.js';

// The conversions that ggml's C code leans on. All arithmetic around them is f32, rounded after
// each operation.

const floatView = new Float32Array(1);
const bitsView = new Int32Array(floatView.buffer);

/** Adding 1.5·2^23 leaves the nearest integer, ties to even, in the low bits of the sum. */
const ROUNDING_SHIFT = 12582912;

/**
 * The nearest integer, ties to even, for magnitudes below 2^22. Beyond, the 23 low bits of the
 * shifted sum, as in ggml, whatever they are; 0 for NaN.
 */
export function nearestInteger(value: number): number {
  const shifted = Math.fround(value + ROUNDING_SHIFT);
  // Most are here, without a look at bits.
  if (shifted >= 2 ** 23 && shifted < 2 ** 24) return shifted - ROUNDING_SHIFT;
  floatView[0] = shifted;
  if (Number.isNaN(floatView[0])) return 0;
  return (bitsView[0] & 0x7fffff) - 0x400000;
}

export function clamp(value: number, low: number, high: number): number {
  return value < low ? low : value > high ? high : value;
}

/** Half away from zero, as C's roundf. */
export function roundHalfAway(value: number): number {
  return Math.sign(value) * Math.floor(Math.abs(value) + 0.5);
}

/** The integer that C's conversion to a byte type keeps; x86 keeps 0 of infinities and NaN. */
export function truncated(value: number): number {
  return Number.isFinite(value) ? Math.trunc(value) : 0;
}

/** 1/scale, or 0 where the scale is 0. */
export function inverseOf(scale: number): number {
  return scale === 0 ? 0 : Math.fround(1 / scale);
}

/** IEEE binary16 bits of an f32: nearest, ties to even, infinity from 65520 on. */
export function f16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  const rounded = roundToF16(magnitude);
  if (rounded < 2 ** -14) return sign | (rounded * 2 ** 24);
  // The upper bits of the f32 pattern, with the exponent's bias changed from 127 to 15.
  floatView[0] = rounded;
  return sign | ((bitsView[0] >> 13) - (112 << 10));
}

/** Stores an f32 as F16, little-endian; returns what the stored bits decode to. */
export function storeF16(packed: Uint8Array, at: number, value: number): number {
  const bits = f16Bits(value);
  packed[at] = bits & 0xff;
  packed[at + 1] = bits >> 8;
  return f16FromBits(bits);
}

export function loadF16(packed: Uint8Array, at: number): number {
  return f16FromBits(packed[at] | (packed[at + 1] << 8));
}
