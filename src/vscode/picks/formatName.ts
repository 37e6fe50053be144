import { shapeAsMatrix } from '../../checkpoint/matrixShape.js';
import { computeBitsPerWeight, parseFormat, withGrouping } from '../../formats/index.js';
import type { NumberFormat, ScaleDtype } from '../../formats/index.js';
import type { ModelTensor } from '../../checkpoint/types.js';
import { computeStoredSize } from '../../jobs/formatList.js';

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

/** Exact cost of tensors in a format, scales and zero points included: that of the report. */
export function formatCost(
  format: NumberFormat,
  tensors: readonly ModelTensor[],
  scaleDtype: ScaleDtype,
): FormatCost {
  const { bits, elements } = computeStoredSize(format, tensors.map(shapeAsMatrix), scaleDtype);
  return {
    bitsPerWeight: elements > 0 ? bits / elements : computeBitsPerWeight(format, [], scaleDtype),
    bytes: Math.ceil(bits / 8),
  };
}
