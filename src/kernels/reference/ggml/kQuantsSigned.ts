import { packCodes, unpackCodes } from './codePacking.js';
import { clamp, loadF16, nearestInteger, storeF16 } from './float32.js';
import { sumOf, sumSquares, weighImportance } from './importance.js';
import { extremeValue, packSixBits, unpackSixBits } from './scaleCodes.js';
import { descendScale, NEGLIGIBLE, searchScale, type Fit } from './searches.js';
import { forSubBlocks, requantize, SUPER_BLOCK } from './superBlocks.js';
import { integerGrid, noOffsets, type BlockCodec, type BlockImportance } from './types.js';

// q3_k and q6_k: sub-blocks of 16 signed levels; their scales are signed integers times an F16.

const { fround } = Math;
const SUB_BLOCKS = 16;

function fitSubBlocks(weights: Float32Array, fit: (part: Float32Array, index: number) => Fit) {
  const scales = new Float32Array(SUB_BLOCKS);
  const codes = new Uint8Array(SUPER_BLOCK);
  forSubBlocks(weights, SUPER_BLOCK / SUB_BLOCKS, (part, i) => {
    const found = fit(part, i);
    scales[i] = found.scale;
    codes.set(found.codes, i * part.length);
  });
  return { scales, codes };
}

interface FittedQ3 {
  readonly codes: Uint8Array;
  /** Signed scales, plus 32. */
  readonly scaleCodes: Uint8Array;
  readonly unit: number;
}

function fitQ3(weights: Float32Array): FittedQ3 {
  const { scales, codes } = fitSubBlocks(weights, (part) => descendScale(part, 4));
  const extreme = extremeValue(scales);
  const scaleCodes = new Uint8Array(SUB_BLOCKS);
  if (extreme === 0) return { codes, scaleCodes, unit: 0 };
  const inverse = fround(-32 / extreme);
  scales.forEach((scale, i) => {
    scaleCodes[i] = clamp(nearestInteger(fround(inverse * scale)), -32, 31) + 32;
  });
  return { codes, scaleCodes, unit: fround(1 / inverse) };
}

function fitQ3Weighted(weights: Float32Array, { inputs }: BlockImportance): FittedQ3 {
  const meanSquare = fround(fround(2 * sumSquares(weights)) / SUPER_BLOCK);
  const sums = new Float32Array(SUB_BLOCKS);
  const { scales, codes } = fitSubBlocks(weights, (part, i) => {
    const counted = weighImportance(part, subBlock(inputs, i), meanSquare);
    sums[i] = sumOf(counted);
    return searchScale(part, 4, counted);
  });
  const { scale: unit, codes: scaleCodes } = searchScale(scales, 32, sums);
  return { codes, scaleCodes, unit };
}

function subBlock(values: Float32Array, index: number): Float32Array {
  const size = SUPER_BLOCK / SUB_BLOCKS;
  return values.subarray(index * size, (index + 1) * size);
}

const q3_k: BlockCodec = {
  grid: integerGrid(-4, 3),
  quantize(weights, packed, importance) {
    const { codes, scaleCodes, unit } = importance
      ? fitQ3Weighted(weights, importance)
      : fitQ3(weights);
    packSixBits(scaleCodes, packed.subarray(96, 108));
    storeF16(packed, 108, unit);
    requantize(weights, q3Scales(packed), noOffsets(SUB_BLOCKS), { lowest: -4, top: 7 }, codes);
    packCodes(codes, 1, 32, packed.subarray(0, 32), 2);
    packCodes(codes, 2, 32, packed.subarray(32, 96));
  },
  unpack(packed) {
    const codes = new Uint8Array(SUPER_BLOCK);
    unpackCodes(packed.subarray(0, 32), 1, 32, codes, 2);
    unpackCodes(packed.subarray(32, 96), 2, 32, codes);
    return {
      levels: Int16Array.from(codes, (code) => code - 4),
      scales: q3Scales(packed),
      offsets: noOffsets(SUB_BLOCKS),
    };
  },
};

function q3Scales(packed: Uint8Array): Float32Array {
  const unit = loadF16(packed, 108);
  const codes = unpackSixBits(packed.subarray(96, 108));
  return Float32Array.from(codes, (code) => fround(unit * (code - 32)));
}

const q6_k: BlockCodec = {
  grid: integerGrid(-32, 31),
  quantize(weights, packed, importance) {
    const { scales, codes } = fitSubBlocks(weights, (part, i) =>
      searchScale(part, 32, importance && subBlock(importance.inputs, i)),
    );
    const extreme = extremeValue(scales);
    packed.fill(0);
    if (Math.abs(extreme) < NEGLIGIBLE) return;
    const inverse = fround(-128 / extreme);
    scales.forEach((scale, i) => {
      packed[192 + i] = Math.min(127, nearestInteger(fround(inverse * scale)));
    });
    storeF16(packed, 208, fround(1 / inverse));
    requantize(weights, q6Scales(packed), noOffsets(SUB_BLOCKS), { lowest: -32, top: 63 }, codes);
    packCodes(codes, 4, 64, packed.subarray(0, 128));
    packCodes(codes, 2, 32, packed.subarray(128, 192), 4);
  },
  unpack(packed) {
    const codes = new Uint8Array(SUPER_BLOCK);
    unpackCodes(packed.subarray(0, 128), 4, 64, codes);
    unpackCodes(packed.subarray(128, 192), 2, 32, codes, 4);
    return {
      levels: Int16Array.from(codes, (code) => code - 32),
      scales: q6Scales(packed),
      offsets: noOffsets(SUB_BLOCKS),
    };
  },
};

function q6Scales(packed: Uint8Array): Float32Array {
  const unit = loadF16(packed, 208);
  return Float32Array.from(Int8Array.from(packed.subarray(192, 208)), (code) =>
    fround(unit * code),
  );
}

export const K_QUANTS_SIGNED = { q3_k, q6_k } as const;
