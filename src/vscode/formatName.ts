import { bitsPerWeight, parseFormat, storedBits, withGrouping } from '../formats/index.js';
import type { NumberFormat, ScaleDtype } from '../formats/index.js';
import type { TensorReport } from '../jobs/reports.js';

/** A format by its catalogue name, with a group of 0 (whole rows) or more columns if it has a choice. */
export function formatWithGroup(name: string, groupSize: number): NumberFormat {
  return withGrouping(
    parseFormat(name),
    groupSize === 0 ? { kind: 'row' } : { kind: 'columns', size: groupSize },
  );
}

/** True where the group size is the user's to choose. */
export function hasGroupChoice(name: string): boolean {
  return parseFormat(name).entry.fixedGroup === undefined;
}

/** What some tensors cost in a format. */
export interface FormatCost {
  readonly bitsPerWeight: number;
  readonly bytes: number;
}

/** Exact cost of tensors in a format, scales and zero points included. */
export function formatCost(
  format: NumberFormat,
  tensors: readonly TensorReport[],
  scaleDtype: ScaleDtype,
): FormatCost {
  let bits = 0;
  let weights = 0;
  for (const { shape, elements } of tensors) {
    bits += storedBits(format, shape, scaleDtype);
    weights += elements;
  }
  return {
    bitsPerWeight: weights > 0 ? bits / weights : bitsPerWeight(format, [], scaleDtype),
    bytes: Math.ceil(bits / 8),
  };
}
