import { binaryExponent } from '../../../formats/grid.js';
import { packCodes, unpackCodes } from './codePacking.js';
import { extremeWeight } from './searches.js';
import { forSubBlocks } from './superBlocks.js';
import { noOffsets, type BlockCodec } from './types.js';

// mxfp4 and nvfp4: E2M1 codes, which ggml keeps as integers, twice their values, with half the scale.

const { abs, fround } = Math;

/** By code: the sign in the upper bit. */
const LEVELS = [0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12] as const;
const GRID = [...new Set(LEVELS)].sort((a, b) => a - b);

/** The first code, in the order of the table, whose level is nearest to a weight. */
function nearestCode(weight: number, scale: number): number {
  const errorOf = (level: number) => abs(fround(fround(level * scale) - weight));
  let best = 0;
  LEVELS.forEach((level, code) => {
    if (errorOf(level) < errorOf(LEVELS[best])) best = code;
  });
  return best;
}

function levelsOf(codes: Uint8Array): Int16Array {
  return Int16Array.from(codes, (code) => LEVELS[code]);
}

/** What an E8M0 byte stands for, halved. */
const halfE8M0 = (code: number) => 2 ** (code - 128);

const MX_BLOCK = 32;

/** mxfp4: a power of two, so that the largest magnitude over it lies in [4, 8). */
const mxfp4: BlockCodec = {
  grid: GRID,
  quantize(weights, packed) {
    const largest = abs(extremeWeight(weights));
    // Exponents below the least one wrap around, as in ggml: weights that small become 0.
    packed[0] = largest > 0 ? (binaryExponent(largest) - 2 + 127) & 255 : 0;
    const scale = halfE8M0(packed[0]);
    const codes = Uint8Array.from(weights, (weight) => nearestCode(weight, scale));
    packCodes(codes, 4, MX_BLOCK / 2, packed.subarray(1));
  },
  unpack(packed) {
    const codes = new Uint8Array(MX_BLOCK);
    unpackCodes(packed.subarray(1), 4, MX_BLOCK / 2, codes);
    return {
      levels: levelsOf(codes),
      scales: Float32Array.of(halfE8M0(packed[0])),
      offsets: noOffsets(1),
    };
  },
};

const LARGEST_UE4M3 = 0x7e;
const FIRST_OF_256 = 0x78;

/**
 * ggml's unsigned E4M3 code of a scale ≥ 0: halves up; from 248 on the largest, although there are codes
 * between that and 448.
 */
function ue4m3Code(scale: number): number {
  if (scale === 0) return 0;
  const exponent = binaryExponent(scale);
  if (exponent < -6) return Math.min(Math.floor(fround(fround(scale * 512) + 0.5)), 7);
  const eighths = Math.floor((scale / 2 ** exponent) * 8 + 0.5) - 8;
  const code = (exponent + 7) * 8 + eighths;
  return code < FIRST_OF_256 ? code : LARGEST_UE4M3;
}

/** What an unsigned E4M3 code stands for, halved; what would be no number is 0. */
function halfUe4m3(code: number): number {
  const magnitude = code & 0x7f;
  if (magnitude === 0x7f) return 0;
  const exponent = magnitude >> 3;
  const fraction = (magnitude & 7) / 8;
  return exponent === 0 ? fraction * 2 ** -7 : (1 + fraction) * 2 ** (exponent - 8);
}

const NV_BLOCK = 64;
const NV_PART = 16;
const NV_PARTS = NV_BLOCK / NV_PART;

/** nvfp4: four scales of 8 bits for 16 weights each, without a scale of the tensor. */
const nvfp4: BlockCodec = {
  grid: GRID,
  quantize(weights, packed) {
    const codes = new Uint8Array(NV_BLOCK);
    forSubBlocks(weights, NV_PART, (part, i) => {
      packed[i] = ue4m3Code(fround(abs(extremeWeight(part)) / 6));
      const scale = halfUe4m3(packed[i]);
      codes.set(
        Uint8Array.from(part, (weight) => nearestCode(weight, scale)),
        i * NV_PART,
      );
    });
    packCodes(codes, 4, NV_PART / 2, packed.subarray(NV_PARTS));
  },
  unpack(packed) {
    const codes = new Uint8Array(NV_BLOCK);
    unpackCodes(packed.subarray(NV_PARTS), 4, NV_PART / 2, codes);
    return {
      levels: levelsOf(codes),
      scales: Float32Array.from(packed.subarray(0, NV_PARTS), halfUe4m3),
      offsets: noOffsets(NV_PARTS),
    };
  },
};

export const FP4_BLOCKS = { mxfp4, nvfp4 } as const;
