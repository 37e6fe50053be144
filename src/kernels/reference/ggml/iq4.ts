import { packCodes, unpackCodes } from './codePacking.js';
import { clamp, inverseOf, loadF16, nearestInteger, storeF16 } from './float32.js';
import { sumSquares, weighImportance } from './importance.js';
import { extremeValue } from './scaleCodes.js';
import { extremeWeight, NEGLIGIBLE, squares } from './searches.js';
import { forSubBlocks, SUPER_BLOCK } from './superBlocks.js';
import { noOffsets, type BlockCodec, type BlockImportance } from './types.js';

// iq4_nl and iq4_xs: sixteen unevenly spaced integer levels.

const { abs, fround } = Math;
const BLOCK = 32;

const LEVELS = [-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113] as const;
/** Candidates on either side of the first one. */
const CANDIDATES = 7;

/** Code of the nearest level, the upper one of two; 0 for NaN. */
function nearestCode(scaled: number): number {
  let code = 0;
  while (code < 15 && 2 * scaled >= LEVELS[code] + LEVELS[code + 1]) code++;
  return code;
}

/** Σ importance·q·x and Σ importance·q² over the levels q nearest to inverse·x; the products associate from the left. */
function gridSums(weights: Float32Array, importance: Float32Array, inverse: number) {
  let qx = 0;
  let q2 = 0;
  for (let i = 0; i < weights.length; i++) {
    const level = LEVELS[nearestCode(fround(inverse * weights[i]))];
    const weighted = fround(importance[i] * level);
    qx = fround(qx + fround(weighted * weights[i]));
    q2 = fround(q2 + fround(weighted * level));
  }
  return { qx, q2 };
}

/** The least-squares scale (errors weighted by importance) of the best among ranges −134 … −120. */
function searchGridScale(weights: Float32Array, importance: Float32Array): number {
  const extreme = extremeWeight(weights);
  if (abs(extreme) < NEGLIGIBLE) return 0;
  const first = gridSums(weights, importance, fround(1 / fround(-extreme / LEVELS[0])));
  let scale = fround(first.qx / first.q2);
  let best = fround(scale * first.qx);
  for (let step = -CANDIDATES; step <= CANDIDATES; step++) {
    const { qx, q2 } = gridSums(weights, importance, fround((step + LEVELS[0]) / extreme));
    if (q2 > 0 && fround(qx * qx) > fround(best * q2)) {
      scale = fround(qx / q2);
      best = fround(scale * qx);
    }
  }
  return scale;
}

/** What errors count by: x², or more where inputs say what matters. @param weights a whole block */
function importanceOf(
  weights: Float32Array,
  importance: BlockImportance | undefined,
): Float32Array {
  if (!importance) return squares(weights);
  const meanSquare = fround(sumSquares(weights) * fround(2 / weights.length));
  return weighImportance(weights, importance.inputs, meanSquare);
}

function levelsOf(codes: Uint8Array): Int16Array {
  return Int16Array.from(codes, (code) => LEVELS[code]);
}

const iq4_nl: BlockCodec = {
  grid: LEVELS,
  quantize(weights, packed, importance) {
    const scale = searchGridScale(weights, importanceOf(weights, importance));
    const inverse = inverseOf(scale);
    storeF16(packed, 0, scale);
    const codes = Uint8Array.from(weights, (x) => nearestCode(fround(inverse * x)));
    packCodes(codes, 4, BLOCK / 2, packed.subarray(2));
  },
  unpack(packed) {
    const codes = new Uint8Array(BLOCK);
    unpackCodes(packed.subarray(2), 4, BLOCK / 2, codes);
    return {
      levels: levelsOf(codes),
      scales: Float32Array.of(loadF16(packed, 0)),
      offsets: noOffsets(1),
    };
  },
};

/** Six-bit scales: low halves in bytes 4 … 7, the upper two bits in bytes 2 and 3. */
function iq4Scales(packed: Uint8Array): Float32Array {
  const unit = loadF16(packed, 0);
  return Float32Array.from({ length: SUPER_BLOCK / BLOCK }, (_, i) => {
    const low = (packed[4 + (i >> 1)] >> (4 * (i & 1))) & 15;
    const high = (packed[2 + (i >> 2)] >> (2 * (i & 3))) & 3;
    return fround(unit * ((low | (high << 4)) - 32));
  });
}

const iq4_xs: BlockCodec = {
  grid: LEVELS,
  quantize(weights, packed, importance) {
    const scales = new Float32Array(SUPER_BLOCK / BLOCK);
    const counted = importanceOf(weights, importance);
    forSubBlocks(weights, BLOCK, (part, i) => {
      scales[i] = searchGridScale(part, counted.subarray(i * BLOCK, (i + 1) * BLOCK));
    });
    const unit = fround(-extremeValue(scales) / 32);
    const inverse = inverseOf(unit);
    packed.fill(0);
    storeF16(packed, 0, unit);
    const codes = new Uint8Array(SUPER_BLOCK);
    forSubBlocks(weights, BLOCK, (part, i) => {
      const level = clamp(nearestInteger(fround(inverse * scales[i])), -32, 31);
      // The codes come from the unit as it was before rounding to F16.
      const inverseScale = inverseOf(fround(unit * level));
      codes.set(
        part.map((x) => nearestCode(fround(inverseScale * x))),
        i * BLOCK,
      );
      packed[4 + (i >> 1)] |= ((level + 32) & 15) << (4 * (i & 1));
      packed[2 + (i >> 2)] |= ((level + 32) >> 4) << (2 * (i & 3));
    });
    packCodes(codes, 4, BLOCK / 2, packed.subarray(8));
  },
  unpack(packed) {
    const codes = new Uint8Array(SUPER_BLOCK);
    unpackCodes(packed.subarray(8), 4, BLOCK / 2, codes);
    return {
      levels: levelsOf(codes),
      scales: iq4Scales(packed),
      offsets: noOffsets(SUPER_BLOCK / BLOCK),
    };
  },
};

export const IQ4_BLOCKS = { iq4_nl, iq4_xs } as const;
