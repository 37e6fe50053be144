import type { ElementTypeName } from './elementTypes.js';

/** Value of a small binary float with `exponentBits` and `fractionBits` and the given bias. */
function smallFloat(
  code: number,
  exponentBits: number,
  fractionBits: number,
  bias: number,
): number {
  const sign = code >> (exponentBits + fractionBits) ? -1 : 1;
  const exponent = (code >> fractionBits) & (2 ** exponentBits - 1);
  const fraction = (code & (2 ** fractionBits - 1)) / 2 ** fractionBits;
  return exponent === 0
    ? sign * fraction * 2 ** (1 - bias)
    : sign * (1 + fraction) * 2 ** (exponent - bias);
}

/** IEEE style: the highest exponent means infinity or NaN. */
function ieeeFloat(code: number, exponentBits: number, fractionBits: number): number {
  const bias = 2 ** (exponentBits - 1) - 1;
  const highest = 2 ** exponentBits - 1;
  if (((code >> fractionBits) & highest) !== highest) {
    return smallFloat(code, exponentBits, fractionBits, bias);
  }
  if (code & (2 ** fractionBits - 1)) return NaN;
  return code >> (exponentBits + fractionBits) ? -Infinity : Infinity;
}

/** IEEE binary16 from its bits. */
export function f16FromBits(bits: number): number {
  return ieeeFloat(bits, 5, 10);
}

const bf16Words = new Uint32Array(1);
const bf16Float = new Float32Array(bf16Words.buffer);

/** bfloat16 from its bits. */
export function bf16FromBits(bits: number): number {
  bf16Words[0] = bits << 16;
  return bf16Float[0];
}

/** Values of the one-byte element types, by code (OCP OFP8, OCP MX, and the FNUZ variants). */
const BYTE_VALUES: Partial<Record<ElementTypeName, (code: number) => number>> = {
  BOOL: (code) => (code ? 1 : 0),
  U8: (code) => code,
  I8: (code) => (code << 24) >> 24,
  F8_E4M3: (code) => ((code & 0x7f) === 0x7f ? NaN : smallFloat(code, 4, 3, 7)),
  F8_E5M2: (code) => ieeeFloat(code, 5, 2),
  F8_E4M3FNUZ: (code) => (code === 0x80 ? NaN : smallFloat(code, 4, 3, 8)),
  F8_E5M2FNUZ: (code) => (code === 0x80 ? NaN : smallFloat(code, 5, 2, 16)),
  F8_E8M0: (code) => (code === 0xff ? NaN : 2 ** (code - 127)),
};

/** Values of the two-byte element types, by code. */
const WORD_VALUES: Partial<Record<ElementTypeName, (code: number) => number>> = {
  F16: f16FromBits,
  BF16: bf16FromBits,
  I16: (code) => (code << 16) >> 16,
  U16: (code) => code,
};

/** How one code of an element type of at most 16 bits decodes, or undefined for wider types. */
export function codeValue(dtype: ElementTypeName): ((code: number) => number) | undefined {
  return BYTE_VALUES[dtype] ?? WORD_VALUES[dtype];
}

/**
 * Widens elements to f32; wider types round to the nearest f32.
 * @param bytes little-endian elements, aligned to their size
 * @throws when the type has no plain numbers (sub-byte floats, complex)
 */
export function decodeElements(
  dtype: ElementTypeName,
  bytes: Uint8Array,
  target: Float32Array,
): void {
  const { buffer, byteOffset } = bytes;
  const n = target.length;
  const byCode = codeValue(dtype);
  if (byCode) {
    const codes =
      dtype in BYTE_VALUES ? bytes.subarray(0, n) : new Uint16Array(buffer, byteOffset, n);
    for (let i = 0; i < n; i++) target[i] = byCode(codes[i]);
    return;
  }
  switch (dtype) {
    case 'F32':
      if (byteOffset !== target.byteOffset || buffer !== target.buffer) {
        target.set(new Float32Array(buffer, byteOffset, n));
      }
      return;
    case 'F64':
      target.set(new Float64Array(buffer, byteOffset, n));
      return;
    case 'I32':
      target.set(new Int32Array(buffer, byteOffset, n));
      return;
    case 'U32':
      target.set(new Uint32Array(buffer, byteOffset, n));
      return;
    case 'I64':
    case 'U64': {
      const wide =
        dtype === 'I64'
          ? new BigInt64Array(buffer, byteOffset, n)
          : new BigUint64Array(buffer, byteOffset, n);
      for (let i = 0; i < n; i++) target[i] = Number(wide[i]);
      return;
    }
    default:
      throw new Error(`Weights of type ${dtype} cannot be read as numbers yet`);
  }
}

/**
 * Rounds f32 values in place to the nearest binary16, ties to even; beyond its range they become ±∞, as
 * arithmetic in that type has it.
 */
export function roundToF16InPlace(values: Float32Array): void {
  const bits = new Int32Array(values.buffer, values.byteOffset, values.length);
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    const magnitude = Math.abs(value);
    if (magnitude < 2 ** -14) {
      // f32 from 0.5 to 1 is as fine as subnormal binary16: the sum rounds as wanted.
      values[i] = Math.fround(value + 0.75) - 0.75;
    } else if (magnitude < 65520) {
      const word = bits[i];
      bits[i] = (word + 0xfff + ((word >>> 13) & 1)) & ~0x1fff;
    } else if (magnitude < Infinity) {
      values[i] = value < 0 ? -Infinity : Infinity;
    }
  }
}
