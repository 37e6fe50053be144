import type { NumberFormat, ScaleDtype } from './types.js';

const SCALE_BITS: Readonly<Record<ScaleDtype, number>> = Object.freeze({
  f16: 16,
  bf16: 16,
  f32: 32,
});

/**
 * Bits that a tensor takes in a format: codes, scales and zero points, ragged last groups counted
 * as whole groups.
 * @param shape [out, in]; leading dimensions of other ranks count as rows
 */
export function storedBits(
  format: NumberFormat,
  shape: readonly number[],
  scaleDtype: ScaleDtype = 'f16',
): number {
  const weights = shape.reduce((product, size) => product * size, 1);
  if (weights === 0) return 0;
  const columns = shape.length === 0 ? 1 : shape[shape.length - 1];
  const rows = weights / columns;
  const groups =
    format.group.kind === 'tensor'
      ? 1
      : format.group.kind === 'row'
        ? rows
        : rows * Math.ceil(columns / format.group.size);
  const { bits, scalesPerGroup, extraBitsPerGroup } = format.entry;
  return weights * bits + groups * (scalesPerGroup * SCALE_BITS[scaleDtype] + extraBitsPerGroup);
}

/** {@link storedBits} per weight. */
export function bitsPerWeight(
  format: NumberFormat,
  shape: readonly number[],
  scaleDtype: ScaleDtype = 'f16',
): number {
  const weights = shape.reduce((product, size) => product * size, 1);
  return weights === 0 ? format.entry.bits : storedBits(format, shape, scaleDtype) / weights;
}
