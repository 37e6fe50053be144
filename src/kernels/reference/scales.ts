import { roundToBF16, roundToF16, saturateF32 } from '../../formats/float32.js';
import type { ScaleDtype } from '../../formats/types.js';

/** Half a unit in the last place at the bottom of a binade, relative: the best a dtype can promise. */
const PRECISION: Readonly<Record<ScaleDtype, number>> = {
  f16: 2 ** -11,
  bf16: 2 ** -9,
  f32: 2 ** -25,
};

/** A scale as the file would hold it, and whether that is as near as the dtype's precision promises. */
export interface StoredScale {
  readonly value: number;
  readonly exactEnough: boolean;
}

/** Rounds an f32 scale to its storage type; saturates instead of overflowing. */
export function storeScale(scale: number, dtype: ScaleDtype): StoredScale {
  const value =
    dtype === 'f16'
      ? roundToF16(scale)
      : dtype === 'bf16'
        ? roundToBF16(scale)
        : saturateF32(scale);
  return { value, exactEnough: Math.abs(value - scale) <= value * PRECISION[dtype] };
}

/** What to divide by: a scale that was rounded to zero makes every weight zero, not NaN. */
export function divisorOf(scale: number): number {
  return scale === 0 ? Infinity : scale;
}
