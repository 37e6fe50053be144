import type { GgmlType } from '../../../formats/ggmlTypes.js';
import type { GgmlTypeName } from '../../../formats/types.js';
import { clamp } from './float32.js';
import { FP4_BLOCKS } from './fp4Blocks.js';
import { IQ4_BLOCKS } from './iq4.js';
import { K_QUANTS_SIGNED } from './kQuantsSigned.js';
import { K_QUANTS_WITH_MIN } from './kQuantsWithMin.js';
import { SIMPLE_BLOCKS } from './simpleBlocks.js';
import { TERNARY_BLOCKS } from './ternary.js';
import type { BlockCodec, BlockImportance } from './types.js';

export type { BlockImportance } from './types.js';
export { GGML_TYPES, type GgmlType } from '../../../formats/ggmlTypes.js';

const { fround } = Math;

const CODECS: Readonly<Record<GgmlTypeName, BlockCodec>> = {
  ...SIMPLE_BLOCKS,
  ...FP4_BLOCKS,
  ...TERNARY_BLOCKS,
  ...IQ4_BLOCKS,
  ...K_QUANTS_WITH_MIN,
  ...K_QUANTS_SIGNED,
};

/**
 * Quantizes one block as ggml does (ggml-quants.c of llama.cpp), to the bit. Weights beyond what an F16 scale
 * can hold give infinities, as there.
 * @param weights finite, one block
 * @param packed `blockBytes` bytes, overwritten
 * @param importance of an importance matrix; absent: as without one. Types that have no use for it
 *   disregard it
 */
export function quantizeGgmlBlock(
  { name }: GgmlType,
  weights: Float32Array,
  packed: Uint8Array,
  importance?: BlockImportance,
): void {
  CODECS[name].quantize(weights, packed, importance);
}

/** Decodes one packed block, to the bits that ggml decodes it to. */
export function dequantizeGgmlBlock(
  { name }: GgmlType,
  packed: Uint8Array,
  output: Float32Array,
): void {
  const { levels, scales, offsets } = CODECS[name].unpack(packed);
  const size = levels.length / scales.length;
  levels.forEach((level, i) => {
    const subBlock = Math.floor(i / size);
    output[i] = fround(fround(scales[subBlock] * level) + offsets[subBlock]);
  });
}

/**
 * Errors (ŵ − w) in widths of the interval between two levels that w falls in, the outermost one
 * where w lies beyond; levels as the packed block decodes them. 0 where the sub-block's scale is 0
 * or overflowed.
 * @param stepErrors one block
 * @returns how many weights lie farther than half an interval beyond the outermost level
 */
export function ggmlStepErrors(
  { name }: GgmlType,
  packed: Uint8Array,
  weights: Float32Array,
  stepErrors: Float32Array,
): number {
  const { grid } = CODECS[name];
  const { levels, scales, offsets } = CODECS[name].unpack(packed);
  const size = levels.length / scales.length;
  const last = grid.length - 1;
  const bottom = grid[0] - (grid[1] - grid[0]) / 2;
  const top = grid[last] + (grid[last] - grid[last - 1]) / 2;
  let clipped = 0;
  weights.forEach((weight, i) => {
    const subBlock = Math.floor(i / size);
    const scale = scales[subBlock];
    stepErrors[i] = 0;
    if (scale === 0 || !Number.isFinite(scale)) return;
    const scaled = fround(fround(weight - offsets[subBlock]) / scale);
    const below = grid.reduce((count, level) => count + (level <= scaled ? 1 : 0), 0);
    const interval = clamp(below - 1, 0, last - 1);
    const width = grid[interval + 1] - grid[interval];
    stepErrors[i] = fround(fround(levels[i] - scaled) / width);
    if (scaled > top || scaled < bottom) clipped++;
  });
  return clipped;
}
