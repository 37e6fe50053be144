import { ruleProperties } from './rules.js';
import type { NumberFormat, ScaleDtype } from './types.js';

const SCALE_BITS: Readonly<Record<ScaleDtype, number>> = Object.freeze({
  f16: 16,
  bf16: 16,
  f32: 32,
});

/**
 * Number of groups of a tensor; a ragged last group counts as one.
 * @param shape [out, in]; leading dimensions of other ranks count as rows
 */
export function countGroups({ group }: NumberFormat, shape: readonly number[]): number {
  const weights = shape.reduce((product, size) => product * size, 1);
  if (weights === 0) return 0;
  const columns = shape.length === 0 ? 1 : shape[shape.length - 1];
  const rows = weights / columns;
  switch (group.kind) {
    case 'tensor':
      return 1;
    case 'row':
      return rows;
    case 'columns':
      return rows * Math.ceil(columns / group.size);
    case 'blocks': {
      // Each matrix of several (experts) has blocks of its own.
      const matrix = shape.length < 3 ? weights : shape[shape.length - 2] * columns;
      return (weights / matrix) * Math.ceil(matrix / group.size);
    }
  }
}

/** Bits that a tensor takes in a format: codes, scales and zero points. */
export function countStoredBits(
  format: NumberFormat,
  shape: readonly number[],
  scaleDtype: ScaleDtype = 'f16',
): number {
  const { entry, group } = format;
  const groups = countGroups(format, shape);
  if (groups === 0) return 0;
  // Blocks are whole or not there; elsewhere a ragged group stores just its weights.
  const weights =
    ruleProperties(entry.rule).storesWholeBlocks && group.kind === 'columns'
      ? groups * group.size
      : shape.reduce((product, size) => product * size, 1);
  return (
    weights * entry.bits +
    groups * (entry.scalesPerGroup * SCALE_BITS[scaleDtype] + entry.extraBitsPerGroup) +
    (entry.extraBitsPerTensor ?? 0)
  );
}

/** {@link countStoredBits} per weight. */
export function computeBitsPerWeight(
  format: NumberFormat,
  shape: readonly number[],
  scaleDtype: ScaleDtype = 'f16',
): number {
  const weights = shape.reduce((product, size) => product * size, 1);
  return weights === 0 ? format.entry.bits : countStoredBits(format, shape, scaleDtype) / weights;
}
