import { getMatrixShape } from '../checkpoint/matrixShape.js';
import type { ModelTensor } from '../checkpoint/types.js';
import {
  fillsGroups,
  fitsWidth,
  formatForWidth,
  ruleProperties,
  type NumberFormat,
} from '../formats/index.js';
import { quoted } from '../storage/errors.js';

/** Tensors whose names are given; the others are counted. */
const MAX_NAMES = 3;

const widthOf = (tensor: ModelTensor): number => getMatrixShape(tensor).columns;

/** What to know of tensors whose rows are not whole groups of a format. */
export function noteWidths(format: NumberFormat, tensors: readonly ModelTensor[]): string[] {
  const { entry, group } = format;
  if (group.kind !== 'columns' || !ruleProperties(entry.rule).hasGroups) return [];
  const filled = fillsGroups(format);
  const ragged = tensors.filter((tensor) => {
    const columns = widthOf(tensor);
    // A row that is shorter than a group is one, and nothing is left over.
    return !fitsWidth(format, columns) && (filled || columns > group.size);
  });
  if (ragged.length === 0) return [];
  const share = ragged.length < tensors.length ? `${ragged.length} of ` : '';
  const count = `${share}${tensors.length} ${tensors.length === 1 ? 'tensor' : 'tensors'}`;
  const rule = `Rows are no multiple of ${group.size} in ${count}`;
  if (entry.rule.kind === 'ggml') {
    const which = list(ragged, (columns) => ` as ${formatForWidth(format, columns).id}`);
    return [`${rule}; what llama.cpp stores instead of ${format.id} is counted: ${which}.`];
  }
  const last = filled
    ? 'Their last block is filled up with zeros and counted whole'
    : 'Their last group is shorter';
  return [`${rule}: ${list(ragged)}. ${last}; many runtimes refuse such rows.`];
}

function list(
  tensors: readonly ModelTensor[],
  more: (columns: number) => string = () => '',
): string {
  const named = tensors
    .slice(0, MAX_NAMES)
    .map((tensor) => `${quoted(tensor.name)} (${widthOf(tensor)} columns)${more(widthOf(tensor))}`);
  const left = tensors.length - MAX_NAMES;
  return named.join(', ') + (left > 0 ? ` and ${left} more` : '');
}
