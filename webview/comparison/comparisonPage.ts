import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type {
  BosChoice,
  ComparisonHostApi,
  ComparisonPageApi,
  ComparisonState,
  DroppedText,
} from '../../src/reports/comparisonPage.js';
import type { Connection } from '../../src/rpc/rpc.js';
import { GpuWorkers } from '../components/gpuWorkers.js';
import { connectToHost, restoreState, saveState } from '../components/hostConnection.js';
import { LightElement } from '../components/lightElement.js';
import { LongRead } from '../components/longRead.js';
import { visibleName } from '../components/names.js';
import type { ComparisonReport, FormatComparison } from '../components/protocolTypes.js';
import { renderBosChoice } from './bosChoice.js';
import { renderStatus } from './comparisonStatus.js';
import { renderCharts } from './charts.js';
import { DropTarget } from './dropTarget.js';
import './formatTable.js';
import type { FormatMove } from './formatTable.js';
import type { GridRow } from './gridModel.js';
import { gridTree } from './gridModel.js';
import type { PageState } from './pageState.js';
import { FRESH_PAGE } from './pageState.js';
import { renderPerplexityText } from './perplexityText.js';
import type { Sorting } from './sorting.js';
import type { TraitView } from './traits.js';
import { EVERYTHING, possibleView, renderTraitControls, shownReport } from './traits.js';
import { renderTensors } from './tensorSection.js';

const NONE: readonly FormatComparison[] = [];

/** Milliseconds without scrolling after which the position is stored. */
const SCROLL_PAUSE = 150;

/** The format comparison panel. */
@customElement('qs-comparison-page')
export class ComparisonPage extends LightElement {
  @state() private comparison?: ComparisonState;
  @state() private cancelling = false;
  /** Said of a drop that is not taken. */
  @state() private dropProblem = '';
  @state() private dragging = false;
  @state() private page: PageState = { ...FRESH_PAGE, ...restoreState<PageState>() };

  private scrollTimer?: ReturnType<typeof setTimeout>;
  private readonly opening = new LongRead<ComparisonState>(this);
  private readonly connection: Connection<ComparisonHostApi>;
  private scrollRestored = false;

  constructor() {
    super();
    this.connection = connectToHost<ComparisonPageApi, ComparisonHostApi>({
      ...new GpuWorkers(() => this.host).handlers,
      update: (comparison) => this.show(comparison),
    });
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.drops.disconnect();
  }

  private readonly drops = new DropTarget({
    accepts: () =>
      this.comparison !== undefined &&
      this.comparison.status !== 'running' &&
      !this.comparison.isDocument,
    dragging: (over) => {
      this.dragging = over;
    },
    dropped: (text) => this.measure(text),
    refused: (reason) => {
      this.dropProblem = reason;
    },
  });

  private measure(text?: DroppedText): void {
    this.dropProblem = '';
    void this.host.measurePerplexity({ text });
  }

  private get host(): Connection<ComparisonHostApi>['remote'] {
    return this.connection.remote;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.dataset.vscodeContext = JSON.stringify({ preventDefaultContextMenuItems: true });
    this.addEventListener('scroll', () => this.keepScroll());
    this.drops.connect();
    void this.open();
  }

  private async open(): Promise<void> {
    await this.opening.start((options) => this.host.open(null, options));
    // An update that came meanwhile is newer.
    if (this.opening.value && !this.comparison) this.show(this.opening.value);
  }

  private show(comparison: ComparisonState): void {
    if (comparison.status !== 'running') this.cancelling = false;
    this.comparison = comparison;
    if (comparison.id !== this.page.id) this.change({ id: comparison.id });
  }

  private change(part: Partial<PageState>): void {
    this.page = { ...this.page, ...part };
    saveState(this.page);
  }

  private keepScroll(): void {
    // Nothing on the page depends on it, so it is stored without rendering.
    Object.assign(this.page, { scroll: this.scrollTop });
    clearTimeout(this.scrollTimer);
    this.scrollTimer = setTimeout(() => saveState(this.page), SCROLL_PAUSE);
  }

  protected override updated(): void {
    if (this.scrollRestored || !this.comparison?.report) return;
    this.scrollRestored = true;
    this.scrollTop = this.page.scroll;
  }

  override render(): TemplateResult {
    const { comparison } = this;
    if (!comparison) {
      return html`<div class="page-message">
        ${this.opening.renderWaiting('Opening the comparison', (text) => this.copy(text))}
      </div>`;
    }
    const { report: whole } = comparison;
    const traits = whole ? possibleView(whole, this.page.traits) : EVERYTHING;
    const report = whole && this.shownOf(whole, traits);
    const hidden = new Set(
      whole?.formats.filter((format) => !report!.formats.includes(format)).map(({ id }) => id),
    );
    const waits = comparison.status === 'running' && comparison.measuresPerplexity === true;
    return html`${this.renderTitle(comparison)}
      ${renderStatus(comparison, {
        cancelling: this.cancelling,
        cancel: () => this.cancel(),
        runAgain: () => void this.host.runAgain(null),
        copy: (text) => this.copy(text),
      })}
      ${
        this.dropProblem
          ? html`<qs-message-bar
              kind="warning"
              .text=${this.dropProblem}
              .actions=${[{ label: 'Dismiss', run: () => (this.dropProblem = '') }]}
            ></qs-message-bar>`
          : nothing
      }
      <main>
        ${this.renderTableHead(comparison)}
        ${
          whole
            ? renderTraitControls(whole, traits, (view) => this.change({ traits: view }))
            : nothing
        }
        <qs-format-table
          .formats=${hidden.size > 0 ? comparison.formats.filter((id) => !hidden.has(id)) : comparison.formats}
          .results=${report?.formats ?? NONE}
          .baseline=${report?.baseline.perplexity}
          .model=${report?.model}
          ?withOutputs=${whole?.outputErrorText !== undefined || comparison.phase === 'calibration'}
          .groupedBy=${traits.groupedBy}
          ?withPerplexity=${report?.baseline.perplexity !== undefined || waits}
          ?running=${comparison.status === 'running'}
          .sorting=${this.page.sorting}
          ?arrangeable=${comparison.status !== 'running' && !comparison.isDocument}
          @format-removed=${(event: CustomEvent<string>) =>
            void this.host.removeFormat({ format: event.detail })}
          @format-moved=${(event: CustomEvent<FormatMove>) => this.move(event.detail)}
          @sorting-changed=${(event: CustomEvent<Sorting | undefined>) =>
            this.change({ sorting: event.detail })}
        ></qs-format-table>
        ${
          report && report.formats.some(({ tensors }) => tensors.length > 0)
            ? html`${renderCharts({
                report,
                root: this.treeOf(report),
                page: this.page,
                actions: {
                  change: (part) => this.change(part),
                  savePng: (picture) => void this.host.savePng(picture),
                },
              })}${renderTensors(
                report,
                this.treeOf(report),
                this.page,
                this.expandedSet(this.page.expanded),
                {
                  change: (view) => this.change(view),
                  toggle: (layer) => this.toggle(layer),
                  reveal: comparison.isDocument
                    ? undefined
                    : (tensor) => void this.host.revealTensor({ tensor }),
                },
              )}`
            : nothing
        }
      </main>
      ${
        this.dragging
          ? html`<div class="drop-hint" aria-hidden="true">
              <span>Drop a text file to measure perplexity on it</span>
            </div>`
          : nothing
      }`;
  }

  /** Moves a format up or down among all formats, those that are not shown included. */
  private move({ format, by }: FormatMove): void {
    const { formats, report } = this.comparison!;
    const movable = report?.against ? formats.slice(1) : formats;
    const to = movable.indexOf(format) + by;
    if (to >= 0 && to < movable.length) void this.host.moveFormat({ format, to });
  }

  private renderTableHead({
    status,
    report,
    scaleDtype,
    formats,
    bos = 'default',
    isDocument,
  }: ComparisonState): TemplateResult {
    return html`<div class="section-head formats-head">
        <h3>${formats.length > 0 ? 'Formats' : 'Unquantized model'}</h3>
        ${isDocument ? nothing : this.renderMeasuring(status, bos)}
      </div>
      ${report ? renderPerplexityText(report, scaleDtype) : nothing}`;
  }

  /** What can be done with the model. */
  private renderMeasuring(status: ComparisonState['status'], bos: BosChoice): TemplateResult {
    return html`<span class="spacer"></span>
      ${
        status === 'running'
          ? nothing
          : html`<span class="note drop-note">Hold Shift and drop a text file here, or</span>`
      }
      <vscode-button
        appearance="secondary"
        ?disabled=${status === 'running'}
        @click=${() => void this.host.addFormats(null)}
        >Add Formats…</vscode-button
      >
      <vscode-button
        appearance="secondary"
        ?disabled=${status === 'running'}
        @click=${() => this.measure()}
        >Measure Perplexity…</vscode-button
      >
      ${renderBosChoice(bos, (choice) => void this.host.chooseBos({ bos: choice }))}`;
  }

  private renderTitle({ modelName, scope, report, isDocument }: ComparisonState): TemplateResult {
    return html`<header class="comparison-title">
      <h1><bdi>${visibleName(modelName)}</bdi></h1>
      <span class="note"><bdi>${visibleName(scope)}</bdi></span>
      <span class="spacer"></span>
      <vscode-button
        appearance="secondary"
        ?disabled=${!report}
        @click=${() => void this.host.copyCsv(null)}
        >${isDocument ? 'Save CSV' : 'Copy as CSV'}</vscode-button
      >
      <vscode-button
        appearance="secondary"
        ?disabled=${!report}
        @click=${() => void this.host.saveJson(null)}
        >Save JSON</vscode-button
      >
      ${
        isDocument
          ? nothing
          : html`<vscode-button
              appearance="secondary"
              ?disabled=${!report}
              @click=${() => void this.host.saveHtml(null)}
              >Save HTML</vscode-button
            >`
      }
    </header>`;
  }

  private lastShown?: {
    readonly whole: ComparisonReport;
    readonly traits: TraitView;
    readonly shown: ComparisonReport;
  };

  /** The same report for the same choice, so that nothing is drawn anew without need. */
  private shownOf(whole: ComparisonReport, traits: TraitView): ComparisonReport {
    const { lastShown } = this;
    if (lastShown?.whole === whole && lastShown.traits === traits) return lastShown.shown;
    const shown = shownReport(whole, traits);
    this.lastShown = { whole, traits, shown };
    return shown;
  }

  private lastTree?: { readonly report: ComparisonReport; readonly root: GridRow };

  /** Sums the report up once, for the chart and the table. */
  private treeOf(report: ComparisonReport): GridRow {
    if (this.lastTree?.report !== report) this.lastTree = { report, root: gridTree(report) };
    return this.lastTree.root;
  }

  private lastExpanded?: { readonly names: readonly string[]; readonly set: ReadonlySet<string> };

  /** The same set for the same list, so that the grid is not built anew with each rendering. */
  private expandedSet(names: readonly string[]): ReadonlySet<string> {
    if (this.lastExpanded?.names !== names) this.lastExpanded = { names, set: new Set(names) };
    return this.lastExpanded.set;
  }

  private toggle(layer: string): void {
    const expanded = new Set(this.page.expanded);
    if (!expanded.delete(layer)) expanded.add(layer);
    this.change({ expanded: [...expanded] });
  }

  private cancel(): void {
    this.cancelling = true;
    void this.host.cancel(null);
  }

  private copy(text: string): void {
    void this.host.copyText({ text });
  }
}
