import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { TABLE_MEASURES, withOutputMeasures } from '../../src/metrics/measures.js';
import { chevronIcon, closeIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { countOf } from '../components/numbers.js';
import type {
  ComparisonReport,
  FormatComparison,
  Perplexity,
} from '../components/protocolTypes.js';
import type { BaselineValues } from './baselineRow.js';
import { baselineValues, renderBaselineRow } from './baselineRow.js';
import type { FormatRow } from './formatRows.js';
import { badgeOf, sortKey, valueOf } from './formatRows.js';
import type { Trait, TraitColumn } from './traits.js';
import { isTrait, renderTraitCell, traitColumns, traitLabel, traitOf } from './traits.js';
import type { GridHost } from '../components/gridFocus.js';
import { GridFocus } from '../components/gridFocus.js';
import { NAME_COLUMN } from './gridModel.js';
import type { ColumnFormat, FormatMeasure } from './measures.js';
import {
  MEASURES,
  PERPLEXITY_MEASURES,
  SIZE_MEASURES,
  bestOf,
  columnFormat,
  deltaDecimals,
  signed,
} from './measures.js';
import type { Ranking } from './perplexity.js';
import { errorText, isWithinNoise, rankByPerplexity, deltaText } from './perplexity.js';
import type { Sorting } from './sorting.js';
import { ariaSort, nextSorting, sortArrow, sortRows } from './sorting.js';

/** A format is to stand higher or lower. */
export interface FormatMove {
  readonly format: string;
  /** Rows; up is negative. */
  readonly by: number;
}

/**
 * A row a format, a column a measure. Sends `sorting-changed` ({@link Sorting} or undefined), `format-removed` (the format's
 * name) and `format-moved` ({@link FormatMove}).
 */
@customElement('qs-format-table')
export class FormatTable extends LightElement implements GridHost {
  /** Canonical names of the formats asked for. */
  @property({ attribute: false }) formats: readonly string[] = [];
  @property({ attribute: false }) results: readonly FormatComparison[] = [];
  /** Of the unquantized model, where it was run. */
  @property({ attribute: false }) baseline?: Perplexity;
  @property({ attribute: false }) model?: ComparisonReport['model'];
  @property({ type: Boolean }) running = false;
  /** True where perplexities are there or are to come. */
  @property({ type: Boolean }) withPerplexity = false;
  /** True where outputs of layers were looked at, or will be. */
  @property({ type: Boolean }) withOutputs = false;
  /** True where formats can be removed and moved. */
  @property({ type: Boolean }) arrangeable = false;
  @property({ attribute: false }) sorting?: Sorting;
  /** Formats whose notes are open. */
  @state() private open: ReadonlySet<string> = new Set();

  /** What rows are put together by; absent: nothing. */
  @property({ attribute: false }) groupedBy?: Trait;

  private rows: readonly FormatRow[] = [];
  private traits: readonly TraitColumn[] = [];
  private columns: readonly FormatMeasure[] = [];
  private formatOf = new Map<FormatMeasure, { format: ColumnFormat; best: number | undefined }>();
  private baselineValues: BaselineValues = {};
  private ranking: Ranking = { tied: new Set() };
  private deltaDecimals = 2;
  private readonly focused = new GridFocus(this);

  gridSize(): { rows: number; columns: number } {
    const baseline = this.withPerplexity ? 1 : 0;
    return { rows: this.rows.length + 1 + baseline, columns: this.cellsPerRow };
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const inputs = [
      'formats',
      'results',
      'sorting',
      'baseline',
      'withPerplexity',
      'withOutputs',
      'groupedBy',
      'model',
    ] as const;
    if (!inputs.some((name) => changed.has(name))) return;
    this.traits = traitColumns(this.results);
    this.columns = [
      ...SIZE_MEASURES,
      ...(this.withPerplexity ? PERPLEXITY_MEASURES : []),
      // Without formats there are no weight errors either.
      ...(this.formats.length > 0 || !this.withPerplexity
        ? withOutputMeasures(TABLE_MEASURES, this.withOutputs)
        : []),
    ];
    const results = new Map(this.results.map((result) => [result.id, result]));
    const ids = new Set([...this.formats, ...results.keys()]);
    const rows = [...ids].map((id) => ({ id, result: results.get(id) }));
    this.baselineValues = this.withPerplexity
      ? baselineValues(this.model, this.weights, this.baseline)
      : {};
    for (const measure of this.columns) {
      const values = this.results.map((result) => valueOf(result, measure));
      const shown = [...values, this.baselineValues[measure]];
      const known = shown.filter((value): value is number => value !== undefined);
      const format = columnFormat(measure, known);
      this.formatOf.set(measure, { format, best: bestOf(measure, values) });
    }
    this.ranking = rankByPerplexity(this.results);
    this.deltaDecimals = deltaDecimals(
      this.results.map((result) => valueOf(result, 'perplexityDelta') ?? 0).filter(Number.isFinite),
    );
    const { sorting, groupedBy } = this;
    const sorted = sorting
      ? sortRows(rows, (row) => sortKey(row, sorting.column), sorting.direction)
      : rows;
    this.rows = groupedBy
      ? sortRows(sorted, (row) => this.groupOf(row, sorted), 'ascending')
      : sorted;
  }

  private get cellsPerRow(): number {
    return 1 + this.traits.length + this.columns.length;
  }

  /** Place of a row's group: groups come in the order of their first rows. */
  private groupOf(row: FormatRow, rows: readonly FormatRow[]): number {
    return rows.findIndex((other) => this.groupName(other) === this.groupName(row));
  }

  private groupName({ result }: FormatRow): string {
    return result && this.groupedBy ? traitOf(result, this.groupedBy) : '';
  }

  override render(): TemplateResult {
    return html`<div class="table-scroll">
      <table class="format-table" role="grid" data-testid="comparison-table" aria-label="Formats">
        <thead>
          <tr>
            ${this.renderHead(NAME_COLUMN, 'Format', '', 0)}
            ${this.traits.map((trait, i) => this.renderHead(trait, traitLabel(trait), '', i + 1))}
            ${this.columns.map((measure, i) => {
              const { label, hint } = MEASURES[measure];
              const { unit } = this.formatOf.get(measure)?.format ?? { unit: '' };
              return this.renderHead(
                measure,
                label,
                [unit, hint].filter(Boolean).join(' · '),
                this.traits.length + i + 1,
              );
            })}
          </tr>
        </thead>
        <tbody>
          ${this.withPerplexity ? this.renderBaseline() : nothing}
          ${this.rows.map((row, i) => [
            this.renderGroup(row, this.rows[i - 1]),
            this.renderRow(row, i + (this.withPerplexity ? 2 : 1)),
          ])}
        </tbody>
      </table>
    </div>`;
  }

  private renderHead(column: string, label: string, unit: string, index: number): TemplateResult {
    const { sorting } = this;
    return html`<th
      scope="col"
      role="columnheader"
      class=${column === NAME_COLUMN ? 'name' : isTrait(column) ? 'trait' : 'number'}
      aria-sort=${ariaSort(sorting, column)}
      data-measure=${column === NAME_COLUMN ? nothing : column}
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
    const isText = column === NAME_COLUMN || isTrait(column);
    const better = isText ? undefined : MEASURES[column as FormatMeasure].better;
    const first = better === 'higher' ? 'descending' : 'ascending';
    this.emit('sorting-changed', nextSorting(this.sorting, column, first));
  }

  /** Says what the rows from here on have in common. */
  private renderGroup(row: FormatRow, before: FormatRow | undefined) {
    const name = this.groupName(row);
    if (!this.groupedBy || (before && this.groupName(before) === name)) return nothing;
    return html`<tr class="format-group">
      <th scope="rowgroup" colspan=${this.cellsPerRow}>${name || 'waiting'}</th>
    </tr>`;
  }

  private renderRow({ id, result }: FormatRow, index: number): TemplateResult {
    const notes = result?.notes ?? [];
    const open = this.open.has(id);
    const name = result?.label ?? id;
    const isRemovable = this.arrangeable && this.formats.includes(id) && this.formats.length > 1;
    return html`<tr
        data-format=${id}
        @keydown=${isRemovable ? (event: KeyboardEvent) => this.arrangeByKey(event, id) : nothing}
      >
        <th scope="row" role="rowheader" class="name">
          <button
            class="format-name"
            data-cell="${index}:0"
            tabindex=${this.focused.tabIndex(index, 0)}
            aria-expanded=${notes.length ? (open ? 'true' : 'false') : nothing}
            aria-keyshortcuts=${isRemovable ? 'Delete Alt+ArrowUp Alt+ArrowDown' : nothing}
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
          ${
            isRemovable
              ? html`<button
                  class="remove-format"
                  tabindex="-1"
                  title="Remove ${name} (Delete)"
                  aria-label="Remove ${name}"
                  @click=${() => this.emit('format-removed', id)}
                >
                  ${closeIcon}
                </button>`
              : nothing
          }
        </th>
        ${this.traits.map((trait, i) =>
          renderTraitCell({
            ...{ trait, result, running: this.running, row: index, column: i + 1 },
            tabIndex: this.focused.tabIndex(index, i + 1),
          }),
        )}
        ${this.columns.map((measure, i) =>
          this.renderCell(name, result, measure, index, this.traits.length + i + 1),
        )}
      </tr>
      ${
        open
          ? html`<tr class="format-notes">
              <td colspan=${this.cellsPerRow}>
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
    const { format } = this.formatOf.get(measure)!;
    const value = result && valueOf(result, measure);
    const isBest = this.isBest(result, measure, value);
    const tied = measure === 'perplexity' && this.ranking.tied.has(result?.id ?? '');
    const text = value === undefined && this.running ? 'waiting' : format.text(value);
    const delta = measure === 'perplexityDelta' ? result?.perplexity : undefined;
    const spoken = [
      name,
      delta && isWithinNoise(delta) && delta.deltaStandardError !== null && 'within noise',
      `${delta ? deltaText(delta, this.deltaDecimals) : text} ${format.unit} ${MEASURES[measure].spoken}`,
      isBest && 'best',
      tied && 'cannot be told apart from the best',
    ];
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
      ${delta ? this.renderDelta(delta) : text}${tied ? html`<span class="tied" aria-hidden="true"> ○</span>` : nothing}
    </td>`;
  }

  /** Weights that the formats are applied to. */
  private get weights(): number | undefined {
    return this.results[0]?.summary.parameters ?? this.model?.quantizableParameters;
  }

  private renderBaseline(): TemplateResult {
    return renderBaselineRow({
      row: 1,
      columns: this.columns,
      traits: this.traits.length,
      formatOf: (measure) => this.formatOf.get(measure)!.format,
      values: this.baselineValues,
      dtype: this.model?.dtype ?? '',
      running: this.running,
      tabIndex: (column) => this.focused.tabIndex(1, column),
    });
  }

  /** Perplexities rank as far as their errors let them, the rest by value. */
  private isBest(
    result: FormatComparison | undefined,
    measure: FormatMeasure,
    value: number | undefined,
  ): boolean {
    if (measure === 'perplexity' || measure === 'perplexityDelta') {
      return result !== undefined && result.id === this.ranking.best;
    }
    return value !== undefined && value === this.formatOf.get(measure)!.best;
  }

  private renderDelta(perplexity: Perplexity): TemplateResult {
    const { deltaVsBaseline, deltaStandardError } = perplexity;
    const decimals = this.deltaDecimals;
    if (deltaStandardError === null) return html`${signed(deltaVsBaseline, decimals)}`;
    const error = html`<span class="note">${errorText(deltaStandardError, decimals)}</span>`;
    return isWithinNoise(perplexity)
      ? html`<span class="note within-noise">within noise</span>`
      : html`${signed(deltaVsBaseline, decimals)} ${error}`;
  }

  private arrangeByKey(event: KeyboardEvent, id: string): void {
    const by = event.key === 'ArrowUp' ? -1 : event.key === 'ArrowDown' ? 1 : 0;
    if (event.key === 'Delete') this.emit('format-removed', id);
    // Rows that are sorted or grouped have their places from that.
    else if (event.altKey && by !== 0 && !this.sorting && !this.groupedBy) {
      this.emit('format-moved', { format: id, by });
    } else return;
    event.preventDefault();
    event.stopPropagation();
  }

  private toggle(id: string): void {
    const open = new Set(this.open);
    if (!open.delete(id)) open.add(id);
    this.open = open;
  }
}
