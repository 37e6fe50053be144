import type { FormatComparison } from '../components/protocolTypes.js';
import { NAME_COLUMN } from './gridModel.js';
import { knownMeasure } from '../../src/metrics/measures.js';
import type { FormatMeasure, PerplexityMeasure } from './measures.js';
import { PERPLEXITY_MEASURES } from './measures.js';
import { perplexityValue } from './perplexity.js';
import { isTrait, traitOf } from './traits.js';

/** A format asked for, and what is known of it. */
export interface FormatRow {
  readonly id: string;
  readonly result?: FormatComparison;
}

/** A measure of a format; undefined where it has none. */
export function valueOf(result: FormatComparison, measure: FormatMeasure): number | undefined {
  // A report read from elsewhere may lack a measure; an empty cell is better than no table.
  if (measure === 'bitsPerWeight') return result.bitsPerWeight;
  if (isPerplexityMeasure(measure)) return perplexityValue(result.perplexity, measure);
  if (measure === 'sizeBytes') return result.summary.sizeBytes;
  return knownMeasure(result.summary, measure);
}

function isPerplexityMeasure(measure: FormatMeasure): measure is PerplexityMeasure {
  return (PERPLEXITY_MEASURES as readonly string[]).includes(measure);
}

/** What a format is sorted by in a column. */
export function sortKey(row: FormatRow, column: string): number | string | undefined {
  if (column === NAME_COLUMN) return row.result?.label ?? row.id;
  if (isTrait(column)) return row.result && traitOf(row.result, column);
  return row.result && valueOf(row.result, column as FormatMeasure);
}

/** What marks a format whose numbers need a reservation. */
export function badgeOf(result: FormatComparison | undefined): string {
  if (!result?.approximate) return '';
  return result.reconstructed ? 'reconstructed' : 'approximate';
}
