import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { chevronIcon } from '../components/icons.js';
import type { ComparisonReport, Perplexity } from '../components/protocolTypes.js';
import type { ColumnFormat, FormatMeasure } from './measures.js';
import { MEASURES } from './measures.js';

/** Bits of an element as stored, where all weights have one type. */
const STORED_BITS: ReadonlyMap<string, number> = new Map([
  ['F64', 64],
  ['F32', 32],
  ['F16', 16],
  ['BF16', 16],
]);

export type BaselineValues = Partial<Record<FormatMeasure, number>>;

/** What is known of the model as it is stored. @param weights that formats are applied to */
export function baselineValues(
  model: ComparisonReport['model'] | undefined,
  weights: number | undefined,
  perplexity: Perplexity | undefined,
): BaselineValues {
  const bits = STORED_BITS.get(model?.dtype ?? '');
  return {
    bitsPerWeight: bits,
    sizeBytes: bits && weights && (weights * bits) / 8,
    perplexity: perplexity?.value,
  };
}

/** The row of the unquantized model, which all deltas are above. */
export function renderBaselineRow(row: {
  /** Its place in the table. */
  readonly row: number;
  readonly columns: readonly FormatMeasure[];
  /** Columns of words before those of measures: the unquantized model has none of these. */
  readonly traits: number;
  readonly formatOf: (measure: FormatMeasure) => ColumnFormat;
  readonly values: BaselineValues;
  readonly dtype: string;
  readonly running: boolean;
  readonly tabIndex: (column: number) => 0 | -1;
}): TemplateResult {
  const cell = (measure: FormatMeasure, column: number): TemplateResult => {
    const format = row.formatOf(measure);
    const value = row.values[measure];
    const text =
      measure === 'perplexityDelta'
        ? 'reference'
        : measure === 'perplexity' && value === undefined && row.running
          ? 'waiting'
          : format.text(value);
    return html`<td
      role="gridcell"
      class="number ${value === undefined ? 'note' : ''}"
      data-cell="${row.row}:${column}"
      data-measure=${measure}
      data-value=${value === undefined ? nothing : String(value)}
      title=${value === undefined ? nothing : String(value)}
      aria-label=${`unquantized, ${text} ${format.unit} ${MEASURES[measure].spoken}`}
      tabindex=${row.tabIndex(column)}
    >
      ${text}
    </td>`;
  };
  return html`<tr data-baseline>
    <th scope="row" role="rowheader" class="name">
      <button class="format-name" data-cell="${row.row}:0" tabindex=${row.tabIndex(0)} data-plain>
        <span class="twistie none">${chevronIcon}</span>
        <span class="format-label">unquantized</span>
        ${row.dtype ? html`<span class="note format-id">${row.dtype}</span>` : nothing}
      </button>
    </th>
    ${Array.from(
      { length: row.traits },
      (_, i) =>
        html`<td
          role="gridcell"
          class="trait note"
          data-cell="${row.row}:${i + 1}"
          aria-label="unquantized"
          tabindex=${row.tabIndex(i + 1)}
        >
          –
        </td>`,
    )}
    ${row.columns.map((measure, i) => cell(measure, row.traits + i + 1))}
  </tr>`;
}
