import { inverseOf, loadF16, roundHalfAway, storeF16, truncated } from './float32.js';
import { packCodes, unpackCodes } from './codePacking.js';
import { weighImportance, WEIGHTED_RANGE_SEARCH } from './importance.js';
import { extremeWeight, searchScale, searchScaleAndMin } from './searches.js';
import { integerGrid, noOffsets, type BlockCodec, type BlockImportance } from './types.js';

// Blocks of 32 weights with one F16 scale, and an F16 minimum in the _1 types.

const { fround } = Math;
const BLOCK = 32;

/** Low four bits of two codes 16 apart share a byte; the fifth bits fill four bytes in order. */
function packBlockCodes(codes: Uint8Array, bits: number, packed: Uint8Array, at: number): void {
  if (bits === 5) {
    packed.fill(0, at, at + 4);
    codes.forEach((code, i) => (packed[at + (i >> 3)] |= (code >> 4) << (i & 7)));
    at += 4;
  }
  packCodes(codes, 4, BLOCK / 2, packed.subarray(at, at + BLOCK / 2));
}

function unpackBlockCodes(packed: Uint8Array, at: number, bits: number): Uint8Array {
  const codes = new Uint8Array(BLOCK);
  const lowAt = bits === 5 ? at + 4 : at;
  unpackCodes(packed.subarray(lowAt, lowAt + BLOCK / 2), 4, BLOCK / 2, codes);
  if (bits === 5)
    codes.forEach((_, i) => (codes[i] |= ((packed[at + (i >> 3)] >> (i & 7)) & 1) << 4));
  return codes;
}

/** What errors of weights count by. */
function importanceOf(
  weights: Float32Array,
  { inputs, rowMeanSquare }: BlockImportance,
): Float32Array {
  return weighImportance(weights, inputs, rowMeanSquare);
}

/** q4_0, q5_0: the weight of largest magnitude becomes the lowest level, so the scale has a sign. */
function signedBlock(bits: 4 | 5): BlockCodec {
  const half = 2 ** (bits - 1);
  return {
    grid: integerGrid(-half, half - 1),
    quantize(weights, packed, importance) {
      if (importance) {
        const fit = searchScale(weights, half, importanceOf(weights, importance));
        storeF16(packed, 0, fit.scale);
        packBlockCodes(fit.codes, bits, packed, 2);
        return;
      }
      const scale = fround(extremeWeight(weights) / -half);
      const inverse = inverseOf(scale);
      storeF16(packed, 0, scale);
      const codes = Uint8Array.from(weights, (weight) => {
        const shifted = fround(fround(weight * inverse) + (half + 0.5));
        return Math.min(2 * half - 1, truncated(shifted));
      });
      packBlockCodes(codes, bits, packed, 2);
    },
    unpack: (packed) => ({
      levels: Int16Array.from(unpackBlockCodes(packed, 2, bits), (code) => code - half),
      scales: Float32Array.of(loadF16(packed, 0)),
      offsets: noOffsets(1),
    }),
  };
}

/** q4_1, q5_1: from the least weight to the greatest. */
function rangeBlock(bits: 4 | 5): BlockCodec {
  const top = 2 ** bits - 1;
  return {
    grid: integerGrid(0, top),
    quantize(weights, packed, importance) {
      if (importance) {
        const counted = importanceOf(weights, importance);
        const fit = searchScaleAndMin(weights, counted, { top, ...WEIGHTED_RANGE_SEARCH });
        storeF16(packed, 0, fit.scale);
        storeF16(packed, 2, -fit.min);
        packBlockCodes(fit.codes, bits, packed, 4);
        return;
      }
      // Of +0 and −0 the first stays, and its sign is stored.
      const min = weights.reduce((least, weight) => (weight < least ? weight : least));
      const max = weights.reduce((most, weight) => (weight > most ? weight : most));
      const scale = fround(fround(max - min) / top);
      const inverse = inverseOf(scale);
      storeF16(packed, 0, scale);
      storeF16(packed, 2, min);
      const codes = Uint8Array.from(weights, (weight) => {
        const scaled = fround(fround(weight - min) * inverse);
        return Math.min(top, truncated(fround(scaled + 0.5)));
      });
      packBlockCodes(codes, bits, packed, 4);
    },
    unpack: (packed) => ({
      levels: Int16Array.from(unpackBlockCodes(packed, 4, bits)),
      scales: Float32Array.of(loadF16(packed, 0)),
      offsets: Float32Array.of(loadF16(packed, 2)),
    }),
  };
}

/** q8_0: the largest magnitude becomes ±127. */
const byteBlock: BlockCodec = {
  grid: integerGrid(-127, 127),
  quantize(weights, packed) {
    const scale = fround(Math.abs(extremeWeight(weights)) / 127);
    const inverse = inverseOf(scale);
    storeF16(packed, 0, scale);
    weights.forEach((weight, i) => {
      packed[2 + i] = truncated(roundHalfAway(fround(weight * inverse)));
    });
  },
  unpack: (packed) => ({
    levels: Int16Array.from(Int8Array.from(packed.subarray(2))),
    scales: Float32Array.of(loadF16(packed, 0)),
    offsets: noOffsets(1),
  }),
};

export const SIMPLE_BLOCKS = {
  q4_0: signedBlock(4),
  q4_1: rangeBlock(4),
  q5_0: signedBlock(5),
  q5_1: rangeBlock(5),
  q8_0: byteBlock,
} as const;
