import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { css } from './cssom.js';
import './dataTable.js';
import type { TableData } from './dataTable.js';
import { LightElement } from './lightElement.js';
import type { Figure } from './plot.js';
import { Plot } from './plot.js';
import type { Theme } from './theme.js';
import { onThemeChange, readTheme } from './theme.js';

/** How to read single values out of a chart: its columns from left to right. */
export interface Readout {
  readonly count: number;
  /** The column at a position on the x axis; may be out of range. */
  indexAt(x: number): number;
  /** The middle of a column on the x axis. */
  middleOf(index: number): number;
  /** The column's numbers in words. */
  describe(index: number): string;
}

/** What a chart shows; a new object redraws it. */
export interface ChartContent {
  /** The finding, for people who do not see the chart. */
  readonly finding: string;
  readonly figure: (theme: Theme, width: number) => Figure;
  readonly table: () => TableData;
  readonly readout?: Readout;
  /** CSS pixels. */
  readonly height: number;
}

/** The stretch of the x axis that was dragged over: event `chart-zoom`. */
export interface ZoomDetail {
  readonly from: number;
  readonly to: number;
}

const MIN_DRAG = 4;

/**
 * A chart with its name, finding, table view and readout. Sends `chart-zoom` ({@link ZoomDetail}),
 * `chart-reset`, `table-toggled` (boolean) and `chart-png` (Uint8Array).
 */
@customElement('qs-chart-frame')
export class ChartFrame extends LightElement {
  @property() heading = '';
  @property() note = '';
  @property({ attribute: false }) content?: ChartContent;
  /** Controls at the right of the heading. */
  @property({ attribute: false }) tools: TemplateResult | typeof nothing = nothing;
  @property({ attribute: false }) legend: TemplateResult | typeof nothing = nothing;
  @property({ type: Boolean }) asTable = false;
  @property({ type: Boolean }) zoomable = false;
  @property({ type: Boolean }) savable = false;
  @property() hint = '';
  @state() private cursor = -1;
  @state() private drag?: { readonly from: number; readonly to: number };

  private plot?: Plot;
  private plotElement?: HTMLElement;
  private frame = 0;
  private stopTheme?: () => void;
  private readonly resizes = new ResizeObserver(() => this.schedule());

  override connectedCallback(): void {
    super.connectedCallback();
    this.stopTheme = onThemeChange(() => this.schedule());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopTheme?.();
    this.releasePlot();
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('content')) return;
    this.drag = undefined;
    if (this.cursor < 0) return;
    // The cursor stays where it is on the axis, or goes.
    const before = (changed.get('content') as ChartContent | undefined)?.readout;
    const now = this.content?.readout;
    const index = before && now ? now.indexAt(before.middleOf(this.cursor)) : -1;
    this.cursor = now && index >= 0 && index < now.count ? index : -1;
  }

  protected override updated(changed: Map<PropertyKey, unknown>): void {
    const element = this.querySelector<HTMLElement>('.chart-plot') ?? undefined;
    if (element !== this.plotElement) {
      this.releasePlot();
      this.plotElement = element;
      if (element) {
        this.plot = new Plot(element);
        this.resizes.observe(element);
      }
    }
    if (changed.has('content') || changed.has('asTable')) this.schedule();
  }

  override render(): TemplateResult {
    const { content } = this;
    return html`<section class="chart" aria-label=${this.heading}>
      <div class="section-head">
        <h3>${this.heading}</h3>
        <span class="note">${this.note}</span>
        <span class="spacer"></span>
        ${this.tools}
        <button
          class="link"
          aria-pressed=${this.asTable ? 'true' : 'false'}
          ?disabled=${!content}
          @click=${() => this.emit('table-toggled', !this.asTable)}
        >
          View as Table
        </button>
        ${
          this.savable
            ? html`<button
                class="link"
                ?disabled=${!content || this.asTable}
                @click=${() => void this.savePng()}
              >
                Save PNG
              </button>`
            : nothing
        }
      </div>
      ${this.legend}
      ${content ? (this.asTable ? this.renderTable() : this.renderPlot(content)) : nothing}
    </section>`;
  }

  private renderTable(): TemplateResult {
    return html`<qs-data-table
      .caption=${this.content!.finding}
      .data=${this.content!.table()}
    ></qs-data-table>`;
  }

  private renderPlot(content: ChartContent): TemplateResult {
    const { readout } = content;
    const area = this.plot?.area;
    const at =
      this.cursor >= 0 && readout ? this.plot?.pixelOf(readout.middleOf(this.cursor)) : NaN;
    const text = readout && this.cursor >= 0 ? readout.describe(this.cursor) : this.hint;
    const vertical = area ? { top: `${area.top}px`, height: `${area.height}px` } : {};
    return html`<div class="chart-box" ${css({ height: `${content.height}px` })}>
        <div class="chart-plot" aria-hidden="true"></div>
        ${
          at !== undefined && Number.isFinite(at)
            ? html`<div class="chart-cursor" ${css({ ...vertical, left: `${at}px` })}></div>`
            : nothing
        }
        ${
          this.drag
            ? html`<div
                class="chart-selection"
                ${css({
                  ...vertical,
                  left: `${Math.min(this.drag.from, this.drag.to)}px`,
                  width: `${Math.abs(this.drag.to - this.drag.from)}px`,
                })}
              ></div>`
            : nothing
        }
        <div
          class="chart-hit ${this.zoomable ? 'zoomable' : ''}"
          tabindex="0"
          role=${readout ? 'slider' : 'img'}
          aria-roledescription="chart"
          aria-label=${content.finding}
          aria-valuemin=${readout ? 0 : nothing}
          aria-valuemax=${readout ? Math.max(0, readout.count - 1) : nothing}
          aria-valuenow=${readout ? Math.max(0, this.cursor) : nothing}
          aria-valuetext=${readout ? (this.cursor >= 0 ? text : content.finding) : nothing}
          @pointerdown=${this.onPointerDown}
          @pointermove=${this.onPointerMove}
          @pointerup=${this.onPointerUp}
          @pointercancel=${() => (this.drag = undefined)}
          @pointerleave=${() => (this.cursor = -1)}
          @dblclick=${() => this.zoomable && this.emit('chart-reset')}
          @keydown=${this.onKeyDown}
        ></div>
      </div>
      ${readout || this.hint ? html`<p class="chart-readout">${text}</p>` : nothing}`;
  }

  private onPointerDown(event: PointerEvent): void {
    if (!this.zoomable || event.button !== 0) return;
    (event.currentTarget as Element).setPointerCapture(event.pointerId);
    this.drag = { from: event.offsetX, to: event.offsetX };
  }

  private onPointerMove(event: PointerEvent): void {
    if (this.drag) this.drag = { ...this.drag, to: event.offsetX };
    const { readout } = this.content!;
    if (!readout || !this.plot) return;
    const index = readout.indexAt(this.plot.xAt(event.offsetX));
    this.cursor = index >= 0 && index < readout.count ? index : -1;
  }

  private onPointerUp(): void {
    const { drag } = this;
    this.drag = undefined;
    if (!drag || !this.plot || Math.abs(drag.to - drag.from) < MIN_DRAG) return;
    const [from, to] = [Math.min(drag.from, drag.to), Math.max(drag.from, drag.to)];
    this.emit<ZoomDetail>('chart-zoom', { from: this.plot.xAt(from), to: this.plot.xAt(to) });
  }

  private onKeyDown(event: KeyboardEvent): void {
    const count = this.content?.readout?.count ?? 0;
    if (count === 0 || event.ctrlKey || event.metaKey || event.altKey) return;
    const moves: Record<string, number> = {
      ArrowRight: this.cursor + 1,
      ArrowUp: this.cursor + 1,
      ArrowLeft: this.cursor - 1,
      ArrowDown: this.cursor - 1,
      PageUp: this.cursor + 10,
      PageDown: this.cursor - 10,
      Home: 0,
      End: count - 1,
    };
    if (!(event.key in moves)) return;
    event.preventDefault();
    this.cursor = Math.min(count - 1, Math.max(0, moves[event.key]));
  }

  /** The position of the cursor on the x axis, when one is shown. */
  get cursorPosition(): number | undefined {
    const readout = this.content?.readout;
    return readout && this.cursor >= 0 ? readout.middleOf(this.cursor) : undefined;
  }

  private async savePng(): Promise<void> {
    if (!this.plot || !this.content) return;
    const theme = readTheme();
    const figure = this.content.figure(theme, this.plotElement!.clientWidth);
    const title = this.note ? `${this.heading} — ${this.note}` : this.heading;
    this.emit('chart-png', await this.plot.png(figure, theme, title));
  }

  private schedule(): void {
    cancelAnimationFrame(this.frame);
    this.frame = requestAnimationFrame(() => void this.draw());
  }

  private async draw(): Promise<void> {
    const { plot, plotElement, content } = this;
    if (!plot || !plotElement || !content || plotElement.clientWidth === 0) return;
    const theme = readTheme();
    const { data, layout } = content.figure(theme, plotElement.clientWidth);
    const size = { width: plotElement.clientWidth, height: content.height };
    await plot.draw({ data, layout: { ...layout, ...size } }, theme);
    plotElement.dataset.drawn = String(Number(plotElement.dataset.drawn ?? 0) + 1);
    // The cursor's pixels follow the new axes.
    if (this.cursor >= 0) this.requestUpdate();
  }

  private releasePlot(): void {
    this.resizes.disconnect();
    this.plot?.destroy();
    this.plot = undefined;
    this.plotElement = undefined;
  }
}
