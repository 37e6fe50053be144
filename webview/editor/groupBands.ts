import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { EditorHostApi, GroupRangesRequest } from '../../src/reports/editorPage.js';
import type { Connection } from '../../src/rpc/rpc.js';
import type { ChartContent, ChartFrame, ZoomDetail } from '../components/chartFrame.js';
import '../components/chartFrame.js';
import { LightElement } from '../components/lightElement.js';
import { LongRead } from '../components/longRead.js';
import { formatInteger } from '../components/numbers.js';
import type { Asymmetry, GroupRanges, Tensor } from '../components/protocolTypes.js';
import { asymmetryContent, asymmetryHint } from './asymmetryFigure.js';
import { groupContent, groupNote } from './groupFigure.js';
import './groupSizeField.js';

/** Columns asked of the host: about one for each two or three pixels. */
const MAX_COLUMNS = 320;
/** Fewer groups than this would not make a chart. */
const MIN_SHOWN = 8;

interface GroupWindow {
  readonly first: number;
  readonly count: number;
}

/**
 * The extremes of each group of a tensor, positive and negative apart, to zoom into, and how
 * lopsided the groups are. Sends `table-toggled` with the chart's name and `group-size-changed`.
 */
@customElement('qs-group-bands')
export class GroupBands extends LightElement {
  @property({ attribute: false }) connection!: Connection<EditorHostApi>;
  @property({ attribute: false }) tensor!: Tensor;
  @property({ type: Number }) groupSize = 128;
  @property({ type: Boolean }) bandsAsTable = false;
  @property({ type: Boolean }) asymmetryAsTable = false;

  private readonly ranges = new LongRead<GroupRanges>(this);
  /** What is drawn; stays while finer columns are read. */
  private shown?: GroupRanges;
  private asymmetry?: Asymmetry;
  private bands?: ChartContent;
  private asymmetryChart?: ChartContent;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('tensor') || changed.has('groupSize')) {
      this.shown = this.asymmetry = this.bands = this.asymmetryChart = undefined;
      this.read();
    }
    const { value } = this.ranges;
    if (!value || value === this.shown) return;
    this.shown = value;
    this.bands = groupContent(this.tensor, value);
    // The summary speaks of the whole tensor, whatever is zoomed into.
    if (!this.asymmetry) {
      this.asymmetry = value.asymmetry;
      this.asymmetryChart = asymmetryContent(value.asymmetry);
    }
  }

  private read(groupWindow?: GroupWindow): void {
    const request: GroupRangesRequest = {
      tensor: this.tensor.name,
      groupSize: this.groupSize,
      maxColumns: MAX_COLUMNS,
      ...(groupWindow && { firstGroup: groupWindow.first, shownGroups: groupWindow.count }),
    };
    void this.ranges.start((options) => this.connection.remote.groupRanges(request, options));
  }

  override render(): TemplateResult {
    const { shown } = this;
    const waiting = this.ranges.renderWaiting('Reading group ranges', (text) => {
      void this.connection.remote.copyText({ text });
    });
    return html`<qs-chart-frame
        heading="Group ranges"
        .note=${shown ? groupNote(this.tensor, shown) : ''}
        .content=${this.bands}
        .asTable=${this.bandsAsTable}
        .tools=${this.renderTools()}
        .legend=${shown ? renderLegend(shown) : nothing}
        zoomable
        hint="Hover or use the arrow keys to read a column; drag or + to zoom."
        @chart-zoom=${(event: CustomEvent<ZoomDetail>) => this.zoomTo(event.detail)}
        @chart-reset=${() => this.reset()}
        @table-toggled=${() => this.emit('group-table-toggled')}
        @keydown=${this.onKeyDown}
      ></qs-chart-frame>
      ${this.bands ? nothing : html`<div class="chart-wait tall">${waiting}</div>`}
      ${this.bands && !this.ranges.value ? html`<div class="chart-wait">${waiting}</div>` : nothing}
      ${this.asymmetry ? this.renderAsymmetry(this.asymmetry) : nothing}`;
  }

  private renderTools(): TemplateResult {
    const zoomed = this.shown !== undefined && this.shown.shownGroups < this.shown.groupCount;
    const button = (label: string, text: string, run: () => void, enabled: boolean) =>
      html`<button
        class="tool"
        aria-label=${label}
        title=${label}
        ?disabled=${!enabled}
        @click=${run}
      >
        ${text}
      </button>`;
    const can = this.shown !== undefined;
    return html`<span class="zoom-tools" role="group" aria-label="Zoom">
        ${button('Earlier groups', '‹', () => this.pan(-1), zoomed)}
        ${button('Zoom out', '−', () => this.scale(2), zoomed)}
        ${button('Zoom in', '+', () => this.scale(0.5), can)}
        ${button('Later groups', '›', () => this.pan(1), zoomed)}
        <button class="link" ?disabled=${!zoomed} @click=${() => this.reset()}>Reset</button>
      </span>
      <qs-group-size-field .value=${this.groupSize}></qs-group-size-field>`;
  }

  private renderAsymmetry(asymmetry: Asymmetry): TemplateResult {
    return html`<qs-chart-frame
      class="asymmetry"
      heading="Asymmetry"
      note="(max⁺ − max⁻) / (max⁺ + max⁻) of each group"
      .content=${this.asymmetryChart}
      .asTable=${this.asymmetryAsTable}
      .hint=${asymmetryHint(asymmetry)}
      @table-toggled=${() => this.emit('asymmetry-table-toggled')}
    ></qs-chart-frame>`;
  }

  private zoomTo({ from, to }: ZoomDetail): void {
    this.show(Math.floor(from), Math.ceil(to) - Math.floor(from));
  }

  private scale(factor: number): void {
    if (!this.shown) return;
    const { firstGroup, shownGroups } = this.shown;
    const chart = this.querySelector<ChartFrame>('qs-chart-frame');
    const center = chart?.cursorPosition ?? firstGroup + shownGroups / 2;
    const count = Math.round(shownGroups * factor);
    this.show(Math.round(center - count / 2), count);
  }

  private pan(direction: 1 | -1): void {
    if (!this.shown) return;
    const { firstGroup, shownGroups } = this.shown;
    this.show(firstGroup + direction * Math.max(1, Math.round(shownGroups / 2)), shownGroups);
  }

  private show(first: number, count: number): void {
    const total = this.shown!.groupCount;
    const size = Math.min(total, Math.max(Math.min(MIN_SHOWN, total), count));
    if (size === total) return this.reset();
    this.read({ first: Math.min(total - size, Math.max(0, first)), count: size });
  }

  private reset(): void {
    if (this.shown && this.shown.shownGroups < this.shown.groupCount) this.read();
  }

  private onKeyDown(event: KeyboardEvent): void {
    if (!(event.target as Element).classList.contains('chart-hit')) return;
    const actions: Record<string, () => void> = {
      '+': () => this.scale(0.5),
      '=': () => this.scale(0.5),
      '-': () => this.scale(2),
      '0': () => this.reset(),
      '<': () => this.pan(-1),
      '>': () => this.pan(1),
    };
    if (!(event.key in actions) || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    actions[event.key]();
  }
}

function renderLegend({ columns, shownGroups }: GroupRanges): TemplateResult {
  const exact = columns.every(({ groups }) => groups === 1);
  const each = shownGroups / Math.max(1, columns.length);
  return html`<p class="chart-legend">
    <span><i class="swatch positive"></i>largest positive weight of each group</span>
    <span><i class="swatch negative"></i>most negative</span>
    <span class="spacer"></span>
    <span class="note"
      >${
        exact
          ? 'each bar is one group'
          : `column ≈ ${formatInteger(each)} groups: line median, band 80 %, pale all`
      }</span
    >
  </p>`;
}
