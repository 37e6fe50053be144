import { packCodes, unpackCodes } from './codePacking.js';
import { loadF16, storeF16 } from './float32.js';
import {
  searchPositive,
  sumOf,
  sumSquares,
  weighImportance,
  WEIGHTED_RANGE_SEARCH,
} from './importance.js';
import { packSixBitPairs, quantizePositive, unpackSixBitPairs } from './scaleCodes.js';
import { searchScaleAndMin, type FitWithMin, type ScaleAndMinSearch } from './searches.js';
import { forSubBlocks, requantize, SUPER_BLOCK } from './superBlocks.js';
import { integerGrid, type BlockCodec, type BlockImportance } from './types.js';

// q2_k, q4_k, q5_k: per sub-block a scale and a minimum, both integers times an F16 of the
// super-block; codes from 0.

const { fround } = Math;

/** Where a type keeps its parts. */
interface Layout {
  readonly subBlock: 16 | 32;
  readonly search: ScaleAndMinSearch;
  /** Highest integer of a sub-block's scale or minimum. */
  readonly scaleTop: number;
  importance(weights: Float32Array): Float32Array;
  /** What the mean square of a super-block is multiplied by where an importance matrix is there. */
  readonly meanSquareFactor: 1 | 2;
  /** Byte of the F16 scale; the F16 minimum follows it. */
  readonly unitsAt: number;
  packScales(scales: Uint8Array, mins: Uint8Array, packed: Uint8Array): void;
  unpackScales(packed: Uint8Array): { scales: Uint8Array; mins: Uint8Array };
  packCodes(codes: Uint8Array, packed: Uint8Array): void;
  unpackCodes(packed: Uint8Array, codes: Uint8Array): void;
}

function decodeScales(layout: Layout, packed: Uint8Array) {
  const unit = loadF16(packed, layout.unitsAt);
  const minUnit = loadF16(packed, layout.unitsAt + 2);
  const { scales, mins } = layout.unpackScales(packed);
  return {
    scales: Float32Array.from(scales, (code) => fround(unit * code)),
    offsets: Float32Array.from(mins, (code) => -fround(minUnit * code)),
  };
}

/** Integers, and what one of them is worth. */
interface ScaledCodes {
  readonly codes: Uint8Array;
  readonly unit: number;
}

interface FittedWithMin {
  readonly codes: Uint8Array;
  readonly scaleCodes: ScaledCodes;
  readonly minCodes: ScaledCodes;
}

function fitPlain(
  { subBlock, search, scaleTop, importance }: Layout,
  weights: Float32Array,
): FittedWithMin {
  const { scales, mins, codes } = fitSubBlocks(weights, subBlock, (part) =>
    searchScaleAndMin(part, importance(part), search),
  );
  return {
    codes,
    scaleCodes: quantizePositive(scales, scaleTop),
    minCodes: quantizePositive(mins, scaleTop),
  };
}

function fitWeighted(
  { subBlock, search: { top }, scaleTop, meanSquareFactor }: Layout,
  weights: Float32Array,
  { inputs }: BlockImportance,
): FittedWithMin {
  const meanSquare = fround(fround(meanSquareFactor * sumSquares(weights)) / SUPER_BLOCK);
  const sums = new Float32Array(SUPER_BLOCK / subBlock);
  const { scales, mins, codes } = fitSubBlocks(weights, subBlock, (part, i) => {
    const own = inputs.subarray(i * subBlock, (i + 1) * subBlock);
    const counted = weighImportance(part, own, meanSquare);
    sums[i] = sumOf(counted);
    return searchScaleAndMin(part, counted, { top, ...WEIGHTED_RANGE_SEARCH });
  });
  return {
    codes,
    scaleCodes: searchPositive(scales, scaleTop, sums),
    minCodes: searchPositive(mins, scaleTop, sums),
  };
}

function fitSubBlocks(
  weights: Float32Array,
  size: number,
  fit: (part: Float32Array, index: number) => FitWithMin,
) {
  const scales = new Float32Array(SUPER_BLOCK / size);
  const mins = new Float32Array(SUPER_BLOCK / size);
  const codes = new Uint8Array(SUPER_BLOCK);
  forSubBlocks(weights, size, (part, i) => {
    const found = fit(part, i);
    scales[i] = found.scale;
    mins[i] = found.min;
    codes.set(found.codes, i * size);
  });
  return { scales, mins, codes };
}

function kQuantWithMin(layout: Layout): BlockCodec {
  const { search } = layout;
  return {
    grid: integerGrid(0, search.top),
    quantize(weights, packed, importance) {
      const { scaleCodes, minCodes, codes } = importance
        ? fitWeighted(layout, weights, importance)
        : fitPlain(layout, weights);
      storeF16(packed, layout.unitsAt, scaleCodes.unit);
      storeF16(packed, layout.unitsAt + 2, minCodes.unit);
      layout.packScales(scaleCodes.codes, minCodes.codes, packed);
      const stored = decodeScales(layout, packed);
      requantize(weights, stored.scales, stored.offsets, { lowest: 0, top: search.top }, codes);
      layout.packCodes(codes, packed);
    },
    unpack(packed) {
      const codes = new Uint8Array(SUPER_BLOCK);
      layout.unpackCodes(packed, codes);
      return { levels: Int16Array.from(codes), ...decodeScales(layout, packed) };
    },
  };
}

/** Mean magnitude (root of the mean square) plus each weight's own. */
function magnitudeImportance(weights: Float32Array): Float32Array {
  const sum = weights.reduce((total, x) => fround(total + fround(x * x)), 0);
  const mean = fround(Math.sqrt(fround(sum / weights.length)));
  return weights.map((x) => fround(mean + Math.abs(x)));
}

/** Scales and minima of q4_k and q5_k: the two F16, then 12 bytes of six-bit codes. */
const sixBitScales = {
  subBlock: 32,
  scaleTop: 63,
  importance: magnitudeImportance,
  meanSquareFactor: 2,
  unitsAt: 0,
  packScales(scales: Uint8Array, mins: Uint8Array, packed: Uint8Array) {
    const atMost63 = (codes: Uint8Array) => codes.map((code) => Math.min(63, code));
    packSixBitPairs(atMost63(scales), atMost63(mins), packed.subarray(4, 16));
  },
  unpackScales: (packed: Uint8Array) => unpackSixBitPairs(packed.subarray(4, 16)),
} as const;

export const K_QUANTS_WITH_MIN = {
  q2_k: kQuantWithMin({
    subBlock: 16,
    search: { top: 3, first: -0.5, steps: 15, absolute: true },
    scaleTop: 15,
    importance: (weights) => weights.map(Math.abs),
    meanSquareFactor: 1,
    unitsAt: 80,
    packScales(scales, mins, packed) {
      scales.forEach((scale, i) => (packed[i] = scale | (mins[i] << 4)));
    },
    unpackScales: (packed) => ({
      scales: packed.slice(0, 16).map((byte) => byte & 15),
      mins: packed.slice(0, 16).map((byte) => byte >> 4),
    }),
    packCodes: (codes, packed) => packCodes(codes, 2, 32, packed.subarray(16, 80)),
    unpackCodes: (packed, codes) => unpackCodes(packed.subarray(16, 80), 2, 32, codes),
  }),
  q4_k: kQuantWithMin({
    ...sixBitScales,
    search: { top: 15, first: -1, steps: 20, absolute: false },
    packCodes: (codes, packed) => packCodes(codes, 4, 32, packed.subarray(16)),
    unpackCodes: (packed, codes) => unpackCodes(packed.subarray(16), 4, 32, codes),
  }),
  q5_k: kQuantWithMin({
    ...sixBitScales,
    search: { top: 31, first: -0.5, steps: 15, absolute: false },
    packCodes(codes, packed) {
      packCodes(codes, 1, 32, packed.subarray(16, 48), 4);
      packCodes(codes, 4, 32, packed.subarray(48));
    },
    unpackCodes(packed, codes) {
      unpackCodes(packed.subarray(16, 48), 1, 32, codes, 4);
      unpackCodes(packed.subarray(48), 4, 32, codes);
    },
  }),
} as const;
