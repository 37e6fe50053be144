import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { css } from '../components/cssom.js';
import { chevronIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { visibleName } from '../components/names.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import { scrollToRow, visibleWindow } from '../components/windowing.js';
import type { GridHost } from '../components/gridFocus.js';
import { GridFocus } from '../components/gridFocus.js';
import { renderGridLegend, renderSums } from './gridLegend.js';
import type { GridRow } from './gridModel.js';
import {
  NAME_COLUMN,
  cellValue,
  colorSpan,
  gainOf,
  isNoise,
  isSumOfAlone,
  visibleGridRows,
} from './gridModel.js';
import type { ColumnFormat, GridMeasure } from './measures.js';
import { MEASURES, bestOf, columnFormat } from './measures.js';
import type { Sorting } from './sorting.js';
import { ariaSort, nextSorting, sortArrow } from './sorting.js';

/** CSS pixels. */
const ROW_HEIGHT = 23;
/** Shades of a difference on each side. */
const STEPS = 4;

/**
 * Tensors down, formats across, one measure: layers open into their tensors, colours are differences
 * to one format. Sends `layer-toggled` (name), `tensor-revealed` (name) and `sorting-changed`.
 */
@customElement('qs-comparison-grid')
export class ComparisonGrid extends LightElement implements GridHost {
  @property({ attribute: false }) report!: ComparisonReport;
  /** The report's measures as a tree. */
  @property({ attribute: false }) root!: GridRow;
  @property() measure: GridMeasure = 'sqnrDb';
  /** The format that colours compare with; "" for none. */
  @property() reference = '';
  @property({ type: Boolean }) flat = false;
  /** True where there is an editor to open tensors in. */
  @property({ type: Boolean }) opensTensors = false;
  @property({ attribute: false }) expanded: ReadonlySet<string> = new Set();
  @property({ attribute: false }) sorting?: Sorting;
  @state() private viewTop = 0;
  @state() private viewHeight = 400;

  private rows: readonly GridRow[] = [];
  private format!: ColumnFormat;
  /** The difference with the strongest colour. */
  private span = 0;
  private readonly focused = new GridFocus(this);
  private readonly resizes = new ResizeObserver(() => {
    this.viewHeight = this.scroller.clientHeight;
  });

  private get scroller(): HTMLElement {
    return this.querySelector<HTMLElement>('.grid-scroll')!;
  }

  gridSize(): { rows: number; columns: number } {
    return { rows: this.rows.length + 1, columns: this.report.formats.length + 1 };
  }

  pageRows(): number {
    return Math.max(1, Math.floor(this.viewHeight / ROW_HEIGHT) - 2);
  }

  showRow(row: number): void {
    // The heading sticks to the top of the view and covers as much as one row and a half.
    const { scroller } = this;
    const hidden = this.querySelector('thead')?.clientHeight ?? 0;
    const view = scroller.clientHeight - hidden;
    if (row > 0) scroller.scrollTop = scrollToRow(row - 1, scroller.scrollTop, view, ROW_HEIGHT);
    this.viewTop = scroller.scrollTop;
  }

  protected override firstUpdated(): void {
    this.resizes.observe(this.scroller);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resizes.disconnect();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    const formats = this.report.formats.map(({ id }) => id);
    const { measure, sorting } = this;
    const has = (...names: string[]): boolean => names.some((name) => changed.has(name as never));
    if (has('report', 'measure', 'reference')) {
      this.span = colorSpan(this.root, measure, formats.indexOf(this.reference));
      const all = [this.root, ...this.root.children.flatMap((row) => [row, ...row.children])];
      const values = all.flatMap((row) => row.cells.map((cell) => cellValue(cell, measure) ?? NaN));
      // The delta of all tensors together is far larger, and must not cost the others their places.
      this.format = columnFormat(measure, measure === 'perplexityDelta' ? [this.span] : values);
    }
    if (has('report', 'measure', 'flat', 'expanded', 'sorting')) {
      const order = { measure, sorting, formats };
      this.rows = visibleGridRows(this.root, order, this.expanded, this.flat);
    }
  }

  override render(): TemplateResult {
    const { rows } = this;
    const { first, end } = visibleWindow(this.viewTop, this.viewHeight, ROW_HEIGHT, rows.length);
    const columns = this.report.formats.length + 1;
    const spacer = (count: number): TemplateResult | typeof nothing =>
      count > 0
        ? html`<tr aria-hidden="true">
            <td
              colspan=${columns}
              class="grid-spacer"
              ${css({ height: `${count * ROW_HEIGHT}px` })}
            ></td>
          </tr>`
        : nothing;
    return html`<div class="grid-scroll" @scroll=${this.onScroll}>
        <table
          class="comparison-grid"
          role="treegrid"
          aria-label="${MEASURES[this.measure].label} by tensor"
          aria-rowcount=${rows.length + 1}
          @keydown=${this.onKeyDown}
        >
          <thead>
            <tr aria-rowindex="1">
              ${this.renderHead(NAME_COLUMN, this.flat ? 'Tensor' : 'Layer, tensor', 0)}
              ${this.report.formats.map(({ id, label }, i) => this.renderHead(id, label, i + 1))}
            </tr>
          </thead>
          <tbody>
            ${spacer(first)}
            ${rows.slice(first, end).map((row, i) => this.renderRow(row, first + i + 1))}
            ${spacer(rows.length - end)}
          </tbody>
        </table>
      </div>
      ${renderGridLegend(this.measure, this.referenceLabel, this.span, STEPS, this.opensTensors)}
      ${this.measure === 'perplexityDelta' ? renderSums(this.report) : nothing}`;
  }

  private renderHead(column: string, label: string, index: number): TemplateResult {
    return html`<th
      scope="col"
      role="columnheader"
      class=${index ? 'number' : 'name'}
      aria-sort=${ariaSort(this.sorting, column)}
    >
      <button
        class="sort"
        data-cell="0:${index}"
        tabindex=${this.focused.tabIndex(0, index)}
        title=${column === NAME_COLUMN ? '' : column}
        @click=${() => this.sortBy(column)}
      >
        <span class="sort-label"
          >${label} <b aria-hidden="true">${sortArrow(this.sorting, column)}</b></span
        >
        ${
          column === this.reference && this.measure !== 'perplexityDelta'
            ? html`<span class="note">reference</span>`
            : nothing
        }
      </button>
    </th>`;
  }

  private sortBy(column: string): void {
    // The worst first: that is what one looks for among tensors.
    const higherIsBetter = MEASURES[this.measure].better === 'higher';
    const first = column === NAME_COLUMN || higherIsBetter ? 'ascending' : 'descending';
    this.emit('sorting-changed', nextSorting(this.sorting, column, first));
  }

  private renderRow(row: GridRow, index: number): TemplateResult {
    const values = row.cells.map((cell) => cellValue(cell, this.measure));
    // Deltas have errors of their own, which do not say which of two formats is better.
    const best = this.measure === 'perplexityDelta' ? undefined : bestOf(this.measure, values);
    const open = row.kind === 'layer' && this.expanded.has(row.name);
    return html`<tr
      class="grid-row ${row.kind}"
      aria-level=${row.level}
      aria-rowindex=${index + 1}
      aria-expanded=${row.kind === 'layer' ? (open ? 'true' : 'false') : nothing}
      data-tensor=${row.kind === 'tensor' ? row.name : nothing}
      data-layer=${row.kind === 'layer' ? row.name : nothing}
    >
      <th scope="row" role="rowheader" class="name level-${row.level}">
        <button
          class="row-name"
          data-cell="${index}:0"
          tabindex=${this.focused.tabIndex(index, 0)}
          title=${visibleName(row.name)}
          ?data-plain=${row.kind === 'all'}
          @click=${() => this.activate(row)}
        >
          ${
            row.kind === 'layer'
              ? html`<span class="twistie ${open ? 'open' : ''}">${chevronIcon}</span>`
              : nothing
          }<bdi>${visibleName(row.label)}</bdi>
        </button>
      </th>
      ${row.cells.map((_, i) => this.renderCell(row, i, best, index))}
    </tr>`;
  }

  private renderCell(
    row: GridRow,
    i: number,
    best: number | undefined,
    index: number,
  ): TemplateResult {
    const { measure, format } = this;
    const { formats } = this.report;
    const cell = row.cells[i];
    const value = cellValue(cell, measure);
    const gain = gainOf(
      measure,
      cell,
      row.cells[formats.findIndex(({ id }) => id === this.reference)],
    );
    const noise = measure === 'perplexityDelta' && isNoise(cell);
    const isSum = isSumOfAlone(cell, measure);
    const isBest = value !== undefined && value === best;
    const spoken = [
      formats[i].label,
      visibleName(row.label),
      `${format.text(value)} ${format.unit} ${MEASURES[measure].spoken}`,
      isBest && 'best of row',
      noise && 'within noise',
      isSum && 'sum of its tensors alone',
      gain !== 0 &&
        measure !== 'perplexityDelta' &&
        `${gain > 0 ? 'better' : 'worse'} than ${this.referenceLabel}`,
    ];
    return html`<td
      role="gridcell"
      class="number ${isBest ? 'best' : ''} ${isSum ? 'sum' : ''} ${this.shade(gain)}"
      data-cell="${index}:${i + 1}"
      data-format=${formats[i].id}
      data-value=${value === undefined ? nothing : String(value)}
      title=${value === undefined ? nothing : String(value)}
      aria-label=${spoken.filter(Boolean).join(', ')}
      tabindex=${this.focused.tabIndex(index, i + 1)}
      @dblclick=${() => row.kind === 'tensor' && this.activate(row)}
    >
      ${noise ? '·' : format.text(value)}
    </td>`;
  }

  private get referenceLabel(): string {
    return this.report.formats.find(({ id }) => id === this.reference)?.label ?? '';
  }

  /** A class that colours a cell by its difference to the reference. */
  private shade(gain: number): string {
    // A measure that ranks nothing gets no colour either.
    if (gain === 0 || !MEASURES[this.measure].better || !(this.span > 0)) return '';
    const step = Math.ceil(Math.min(1, Math.abs(gain) / this.span) * STEPS - 0.5);
    return step < 1 ? '' : `${gain > 0 ? 'better' : 'worse'} shade-${step}`;
  }

  private activate(row: GridRow): void {
    if (row.kind === 'layer') this.emit('layer-toggled', row.name);
    else if (row.kind === 'tensor') this.emit('tensor-revealed', row.name);
  }

  private onScroll(): void {
    this.viewTop = this.scroller.scrollTop;
    // Keys go on where one looks, not where the focus was left.
    if (!this.contains(document.activeElement)) return;
    const { first, end } = visibleWindow(
      this.viewTop,
      this.viewHeight,
      ROW_HEIGHT,
      this.rows.length,
    );
    const row = this.focused.focusedRow - 1;
    if (row < 0 || (row >= first && row < end)) return;
    const top = Math.ceil(this.viewTop / ROW_HEIGHT);
    this.focused.moveTo(1 + (row < first ? top : top + this.pageRows() - 1));
  }

  private onKeyDown(event: KeyboardEvent): void {
    const [row, column] = ((event.target as HTMLElement).dataset.cell ?? '').split(':').map(Number);
    const at = row > 0 ? this.rows[row - 1] : undefined;
    if (!at) return;
    const open = this.expanded.has(at.name);
    const toggles =
      at.kind === 'layer' &&
      column === 0 &&
      !this.flat &&
      ((event.key === 'ArrowRight' && !open) || (event.key === 'ArrowLeft' && open));
    if (toggles || (event.key === 'Enter' && column > 0)) {
      event.preventDefault();
      this.activate(at);
    }
  }
}
