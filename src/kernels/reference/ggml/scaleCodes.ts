import { nearestInteger } from './float32.js';

// The integers that sub-blocks' scales and minima become within a super-block of 256 weights.

const { fround } = Math;

/**
 * Scales every value by top/largest to an integer of `top` at most.
 * @returns the integers' low bytes, and what one of them is worth
 */
export function quantizePositive(values: Float32Array, top: number) {
  const largest = values.reduce((most, value) => (value > most ? value : most), 0);
  const inverse = largest > 0 ? fround(top / largest) : 0;
  return {
    codes: Uint8Array.from(values, (value) => nearestInteger(fround(inverse * value))),
    unit: fround(largest / top),
  };
}

/** The first value of largest magnitude; +0 where all are 0 or NaN. */
export function extremeValue(values: Float32Array): number {
  let extreme = 0;
  for (const value of values) if (Math.abs(value) > Math.abs(extreme)) extreme = value;
  return extreme;
}

/** q4_k and q5_k: eight 6-bit scales and eight 6-bit minima in 12 bytes. */
export function packSixBitPairs(scales: Uint8Array, mins: Uint8Array, bytes: Uint8Array): void {
  for (let i = 0; i < 4; i++) {
    bytes[i] = scales[i] | ((scales[i + 4] >> 4) << 6);
    bytes[i + 4] = mins[i] | ((mins[i + 4] >> 4) << 6);
    bytes[i + 8] = (scales[i + 4] & 15) | ((mins[i + 4] & 15) << 4);
  }
}

export function unpackSixBitPairs(bytes: Uint8Array) {
  const scales = new Uint8Array(8);
  const mins = new Uint8Array(8);
  for (let i = 0; i < 4; i++) {
    scales[i] = bytes[i] & 63;
    mins[i] = bytes[i + 4] & 63;
    scales[i + 4] = (bytes[i + 8] & 15) | ((bytes[i] >> 6) << 4);
    mins[i + 4] = (bytes[i + 8] >> 4) | ((bytes[i + 4] >> 6) << 4);
  }
  return { scales, mins };
}

/** q3_k: sixteen 6-bit codes in 12 bytes, low halves first, then the upper two bits. */
export function packSixBits(codes: Uint8Array, bytes: Uint8Array): void {
  bytes.fill(0);
  codes.forEach((code, i) => {
    bytes[i & 7] |= (code & 15) << (i < 8 ? 0 : 4);
    bytes[8 + (i & 3)] |= (code >> 4) << (2 * (i >> 2));
  });
}

export function unpackSixBits(bytes: Uint8Array): Uint8Array {
  return Uint8Array.from({ length: 16 }, (_, i) => {
    const low = (bytes[i & 7] >> (i < 8 ? 0 : 4)) & 15;
    return low | (((bytes[8 + (i & 3)] >> (2 * (i >> 2))) & 3) << 4);
  });
}
