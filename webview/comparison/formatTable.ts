import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { chevronIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { compareNames } from '../components/names.js';
import { countOf } from '../components/numbers.js';
import type { FormatComparison } from '../components/protocolTypes.js';
import type { GridHost } from './gridFocus.js';
import { GridFocus } from './gridFocus.js';
import type { ColumnFormat, FormatMeasure } from './measures.js';
import { MEASURES, TENSOR_MEASURES, bestOf, columnFormat } from './measures.js';
import type { Sorting } from './sorting.js';
import { ariaSort, nextSorting, sortArrow, sortRows } from './sorting.js';

const COLUMNS: readonly FormatMeasure[] = ['bitsPerWeight', 'sizeBytes', ...TENSOR_MEASURES];
const NAME = 'name';

/** A format asked for, and what is known of it. */
interface FormatRow {
  readonly id: string;
  readonly result?: FormatComparison;
}

/** A row a format, a column a measure. Sends `sorting-changed` ({@link Sorting} or undefined). */
@customElement('qs-format-table')
export class FormatTable extends LightElement implements GridHost {
  /** Canonical names of the formats asked for. */
  @property({ attribute: false }) formats: readonly string[] = [];
  @property({ attribute: false }) results: readonly FormatComparison[] = [];
  @property({ type: Boolean }) running = false;
  @property({ attribute: false }) sorting?: Sorting;
  /** Formats whose notes are open. */
  @state() private open: ReadonlySet<string> = new Set();

  private rows: readonly FormatRow[] = [];
  private columns = new Map<FormatMeasure, { format: ColumnFormat; best: number | undefined }>();
  private readonly focused = new GridFocus(this);

  gridSize(): { rows: number; columns: number } {
    return { rows: this.rows.length + 1, columns: COLUMNS.length + 1 };
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('formats') && !changed.has('results') && !changed.has('sorting')) return;
    const results = new Map(this.results.map((result) => [result.id, result]));
    const ids = new Set([...this.formats, ...results.keys()]);
    const rows = [...ids].map((id) => ({ id, result: results.get(id) }));
    for (const measure of COLUMNS) {
      const values = this.results.map((result) => valueOf(result, measure));
      const known = values.filter((value): value is number => value !== undefined);
      const format = columnFormat(measure, known);
      this.columns.set(measure, { format, best: bestOf(measure, values) });
    }
    const { sorting } = this;
    this.rows = sorting
      ? sortRows(rows, (row) => sortKey(row, sorting.column), sorting.direction, compareNames)
      : rows;
  }

  override render(): TemplateResult {
    return html`<div class="table-scroll">
      <table class="format-table" role="grid" data-testid="comparison-table" aria-label="Formats">
        <thead>
          <tr>
            ${this.renderHead(NAME, 'Format', '', 0)}
            ${COLUMNS.map((measure, i) => {
              const { label, hint } = MEASURES[measure];
              const { unit } = this.columns.get(measure)?.format ?? { unit: '' };
              return this.renderHead(
                measure,
                label,
                [unit, hint].filter(Boolean).join(' · '),
                i + 1,
              );
            })}
          </tr>
        </thead>
        <tbody>
          ${this.rows.map((row, index) => this.renderRow(row, index + 1))}
        </tbody>
      </table>
    </div>`;
  }

  private renderHead(column: string, label: string, unit: string, index: number): TemplateResult {
    const { sorting } = this;
    return html`<th
      scope="col"
      role="columnheader"
      class=${column === NAME ? 'name' : 'number'}
      aria-sort=${ariaSort(sorting, column)}
      data-measure=${column === NAME ? nothing : column}
    >
      <button
        class="sort"
        data-cell="0:${index}"
        tabindex=${this.focused.tabIndex(0, index)}
        @click=${() => this.sortBy(column)}
      >
        <span class="sort-label"
          >${label} <b aria-hidden="true">${sortArrow(sorting, column)}</b></span
        >
        <span class="note">${unit}</span>
      </button>
    </th>`;
  }

  private sortBy(column: string): void {
    const better = column === NAME ? undefined : MEASURES[column as FormatMeasure].better;
    const first = better === 'higher' ? 'descending' : 'ascending';
    this.emit('sorting-changed', nextSorting(this.sorting, column, first));
  }

  private renderRow({ id, result }: FormatRow, index: number): TemplateResult {
    const notes = result?.notes ?? [];
    const open = this.open.has(id);
    const name = result?.label ?? id;
    return html`<tr data-format=${id}>
        <th scope="row" role="rowheader" class="name">
          <button
            class="format-name"
            data-cell="${index}:0"
            tabindex=${this.focused.tabIndex(index, 0)}
            aria-expanded=${notes.length ? (open ? 'true' : 'false') : nothing}
            aria-label=${[name, id, badgeOf(result), notes.length && countOf(notes.length, 'note')]
              .filter(Boolean)
              .join(', ')}
            ?data-plain=${notes.length === 0}
            @click=${() => notes.length && this.toggle(id)}
          >
            <span class="twistie ${open ? 'open' : ''} ${notes.length ? '' : 'none'}"
              >${chevronIcon}</span
            >
            <span class="format-label">${name}</span>
            ${name === id ? nothing : html`<span class="note format-id">${id}</span>`}
            ${badgeOf(result) ? html`<span class="badge">${badgeOf(result)}</span>` : nothing}
          </button>
        </th>
        ${COLUMNS.map((measure, i) => this.renderCell(name, result, measure, index, i + 1))}
      </tr>
      ${
        open
          ? html`<tr class="format-notes">
              <td colspan=${COLUMNS.length + 1}>
                <ul>
                  ${notes.map((note) => html`<li>${note}</li>`)}
                </ul>
              </td>
            </tr>`
          : nothing
      }`;
  }

  private renderCell(
    name: string,
    result: FormatComparison | undefined,
    measure: FormatMeasure,
    row: number,
    column: number,
  ): TemplateResult {
    const { format, best } = this.columns.get(measure)!;
    const value = result && valueOf(result, measure);
    const isBest = value !== undefined && value === best;
    const text = value === undefined && this.running ? 'waiting' : format.text(value);
    const spoken = [name, `${text} ${format.unit} ${MEASURES[measure].spoken}`, isBest && 'best'];
    return html`<td
      role="gridcell"
      class="number ${isBest ? 'best' : ''} ${value === undefined ? 'note' : ''}"
      data-cell="${row}:${column}"
      data-measure=${measure}
      data-value=${value === undefined ? nothing : String(value)}
      title=${value === undefined ? nothing : String(value)}
      aria-label=${spoken.filter(Boolean).join(', ')}
      tabindex=${this.focused.tabIndex(row, column)}
    >
      ${text}
    </td>`;
  }

  private toggle(id: string): void {
    const open = new Set(this.open);
    if (!open.delete(id)) open.add(id);
    this.open = open;
  }
}

function valueOf(result: FormatComparison, measure: FormatMeasure): number | undefined {
  // A report read from elsewhere may lack a measure; an empty cell is better than no table.
  return measure === 'bitsPerWeight' ? result.bitsPerWeight : result.summary[measure];
}

function sortKey(row: FormatRow, column: string): number | string | undefined {
  if (column === NAME) return row.result?.label ?? row.id;
  return row.result && valueOf(row.result, column as FormatMeasure);
}

/** What marks a format whose numbers need a reservation. */
function badgeOf(result: FormatComparison | undefined): string {
  if (!result?.approximate) return '';
  return result.notes.some((note) => /reconstruct/i.test(note)) ? 'reconstructed' : 'approximate';
}
