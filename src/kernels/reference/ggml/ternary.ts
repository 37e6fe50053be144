import { packCodes, unpackCodes } from './codePacking.js';
import { clamp, inverseOf, loadF16, roundHalfAway, storeF16, truncated } from './float32.js';
import { extremeWeight } from './searches.js';
import { SUPER_BLOCK } from './superBlocks.js';
import { integerGrid, noOffsets, type BlockCodec, type UnpackedBlock } from './types.js';

// tq1_0, tq2_0, q2_0: −1, 0 and 1 times the largest magnitude; q1_0: a sign times the mean magnitude.

const { abs, fround } = Math;

/** A block of one scale whose codes count from a lowest level. */
function unpacked(codes: Uint8Array, lowest: number, scale: number): UnpackedBlock {
  return {
    levels: Int16Array.from(codes, (code) => code + lowest),
    scales: Float32Array.of(scale),
    offsets: noOffsets(1),
  };
}

/** Weights over their largest magnitude, rounded; halves away from zero. */
function ternaryLevels(weights: Float32Array, largest: number): number[] {
  const inverse = inverseOf(largest);
  return Array.from(weights, (weight) => roundHalfAway(fround(weight * inverse)));
}

function ternaryCodes(weights: Float32Array, largest: number): Uint8Array {
  return Uint8Array.from(ternaryLevels(weights, largest), (level) => truncated(level) + 1);
}

/** tq2_0: two bits each, four weights that are 32 apart to a byte. */
const tq2_0: BlockCodec = {
  grid: integerGrid(-1, 1),
  quantize(weights, packed) {
    const largest = abs(extremeWeight(weights));
    packCodes(ternaryCodes(weights, largest), 2, 32, packed.subarray(0, 64));
    storeF16(packed, 64, largest);
  },
  unpack(packed) {
    const codes = new Uint8Array(SUPER_BLOCK);
    unpackCodes(packed.subarray(0, 64), 2, 32, codes);
    return unpacked(codes, -1, loadF16(packed, 64));
  },
};

/** Runs of tq1_0: their first byte and weight, bytes, and digits in each byte, which belong to weights `bytes` apart. */
const TQ1_RUNS = [
  { byte: 0, weight: 0, bytes: 32, digits: 5 },
  { byte: 32, weight: 160, bytes: 16, digits: 5 },
  { byte: 48, weight: 240, bytes: 4, digits: 4 },
] as const;
const TQ1_SCALE = 52;

/** tq1_0: five digits of base 3 to a byte, as a fraction of 3⁵ in 256ths, rounded up. */
const tq1_0: BlockCodec = {
  grid: integerGrid(-1, 1),
  quantize(weights, packed) {
    const largest = abs(extremeWeight(weights));
    const codes = ternaryCodes(weights, largest);
    for (const { byte, weight, bytes, digits } of TQ1_RUNS) {
      for (let i = 0; i < bytes; i++) {
        let number = 0;
        // The first weight is the highest digit; where there are four, the fifth is 0.
        for (let digit = 0; digit < 5; digit++) {
          number = number * 3 + (digit < digits ? codes[weight + digit * bytes + i] : 0);
        }
        packed[byte + i] = Math.ceil((number * 256) / 243);
      }
    }
    storeF16(packed, TQ1_SCALE, largest);
  },
  unpack(packed) {
    const codes = new Uint8Array(SUPER_BLOCK);
    for (const { byte, weight, bytes, digits } of TQ1_RUNS) {
      for (let digit = 0; digit < digits; digit++) {
        for (let i = 0; i < bytes; i++) {
          const fraction = (packed[byte + i] * 3 ** digit) & 255;
          codes[weight + digit * bytes + i] = (fraction * 3) >> 8;
        }
      }
    }
    return unpacked(codes, -1, loadF16(packed, TQ1_SCALE));
  },
};

const Q1_BLOCK = 128;

/** q1_0: bit set for weights ≥ 0. */
const q1_0: BlockCodec = {
  grid: [-1, 1],
  quantize(weights, packed) {
    const sum = weights.reduce((total, weight) => fround(total + abs(weight)), 0);
    storeF16(packed, 0, fround(sum / Q1_BLOCK));
    packed.fill(0, 2);
    weights.forEach((weight, i) => {
      if (weight >= 0) packed[2 + (i >> 3)] |= 1 << (i & 7);
    });
  },
  unpack: (packed) => ({
    levels: Int16Array.from({ length: Q1_BLOCK }, (_, i) =>
      (packed[2 + (i >> 3)] >> (i & 7)) & 1 ? 1 : -1,
    ),
    scales: Float32Array.of(loadF16(packed, 0)),
    offsets: noOffsets(1),
  }),
};

const Q2_BLOCK = 64;

/** q2_0: a fourth level, 2, which no weight reaches when the largest magnitude is the scale. */
const q2_0: BlockCodec = {
  grid: integerGrid(-1, 2),
  quantize(weights, packed) {
    const largest = abs(extremeWeight(weights));
    storeF16(packed, 0, largest);
    packed.fill(0, 2);
    ternaryLevels(weights, largest).forEach((level, i) => {
      // What C makes of an infinity, from magnitudes whose inverse overflows, is the lowest integer.
      const code = Number.isFinite(level) ? clamp(level + 1, 0, 3) : 0;
      packed[2 + (i >> 2)] |= code << (2 * (i & 3));
    });
  },
  unpack: (packed) =>
    unpacked(
      Uint8Array.from({ length: Q2_BLOCK }, (_, i) => (packed[2 + (i >> 2)] >> (2 * (i & 3))) & 3),
      -1,
      loadF16(packed, 0),
    ),
};

export const TERNARY_BLOCKS = { tq1_0, tq2_0, q1_0, q2_0 } as const;
