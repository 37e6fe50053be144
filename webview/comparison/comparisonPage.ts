import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, state } from 'lit/decorators.js';
import type {
  ComparisonHostApi,
  ComparisonPageApi,
  ComparisonState,
} from '../../src/protocol/comparison.js';
import type { Connection } from '../../src/protocol/rpc.js';
import { dropdownValue } from '../components/controls.js';
import { connectToHost, restoreState, saveState } from '../components/hostConnection.js';
import { LightElement } from '../components/lightElement.js';
import { LongRead } from '../components/longRead.js';
import { visibleName } from '../components/names.js';
import type { ComparisonReport, FormatComparison } from '../components/protocolTypes.js';
import '../components/segmented.js';
import './comparisonGrid.js';
import { renderStatus } from './comparisonStatus.js';
import './formatTable.js';
import type { GridRow } from './gridModel.js';
import { gridTree } from './gridModel.js';
import type { LayerView } from './layerBars.js';
import { DEFAULT_LAYER_VIEW } from './layerBars.js';
import './layerBars.js';
import type { TensorMeasure } from './measures.js';
import { MEASURES, TENSOR_MEASURES } from './measures.js';
import type { Sorting } from './sorting.js';

const NONE: readonly FormatComparison[] = [];

/** Milliseconds without scrolling after which the position is stored. */
const SCROLL_PAUSE = 150;

/** What the page is rebuilt from after VS Code destroyed it. */
interface PageState {
  /** What the host finds the comparison by when it restores the panel. */
  readonly id?: string;
  readonly sorting?: Sorting;
  readonly layers: LayerView;
  readonly gridMeasure: TensorMeasure;
  readonly gridSorting?: Sorting;
  readonly gridFlat: boolean;
  readonly expanded: readonly string[];
  /** Canonical name, "" for none; the first format where absent. */
  readonly reference?: string;
  readonly scroll: number;
}

/** The format comparison panel. */
@customElement('qs-comparison-page')
export class ComparisonPage extends LightElement {
  @state() private comparison?: ComparisonState;
  @state() private cancelling = false;
  @state() private page: PageState = {
    layers: DEFAULT_LAYER_VIEW,
    gridMeasure: 'sqnrDb',
    gridFlat: false,
    expanded: [],
    scroll: 0,
    ...restoreState<PageState>(),
  };

  private scrollTimer?: ReturnType<typeof setTimeout>;
  private readonly opening = new LongRead<ComparisonState>(this);
  private readonly connection: Connection<ComparisonHostApi>;
  private scrollRestored = false;

  constructor() {
    super();
    this.connection = connectToHost<ComparisonPageApi, ComparisonHostApi>({
      update: (comparison) => this.show(comparison),
    });
  }

  private get host(): Connection<ComparisonHostApi>['remote'] {
    return this.connection.remote;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.dataset.vscodeContext = JSON.stringify({ preventDefaultContextMenuItems: true });
    this.addEventListener('scroll', () => this.keepScroll());
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
    const { report } = comparison;
    return html`${this.renderTitle(comparison)}
      ${renderStatus(comparison, {
        cancelling: this.cancelling,
        cancel: () => this.cancel(),
        runAgain: () => void this.host.runAgain(null),
        copy: (text) => this.copy(text),
      })}
      <main>
        <qs-format-table
          .formats=${comparison.formats}
          .results=${report?.formats ?? NONE}
          ?running=${comparison.status === 'running'}
          .sorting=${this.page.sorting}
          @sorting-changed=${(event: CustomEvent<Sorting | undefined>) =>
            this.change({ sorting: event.detail })}
        ></qs-format-table>
        ${
          report && report.formats.some(({ tensors }) => tensors.length > 0)
            ? html`${this.renderLayers(report)}${this.renderTensors(report)}`
            : nothing
        }
      </main>`;
  }

  private renderTitle({ modelName, scope, report }: ComparisonState): TemplateResult {
    return html`<header class="comparison-title">
      <h1><bdi>${visibleName(modelName)}</bdi></h1>
      <span class="note"><bdi>${visibleName(scope)}</bdi></span>
      <span class="spacer"></span>
      <vscode-button
        appearance="secondary"
        ?disabled=${!report}
        @click=${() => void this.host.copyCsv(null)}
        >Copy as CSV</vscode-button
      >
      <vscode-button
        appearance="secondary"
        ?disabled=${!report}
        @click=${() => void this.host.saveJson(null)}
        >Save JSON</vscode-button
      >
    </header>`;
  }

  private renderLayers(report: ComparisonReport): TemplateResult {
    return html`<qs-layer-bars
      .report=${report}
      .root=${this.treeOf(report)}
      .view=${this.page.layers}
      @layer-view-changed=${(event: CustomEvent<Partial<LayerView>>) =>
        this.change({ layers: { ...this.page.layers, ...event.detail } })}
      @chart-png=${(event: CustomEvent<Uint8Array>) =>
        void this.host.savePng({ name: `${this.page.layers.measure}-by-layer`, png: event.detail })}
    ></qs-layer-bars>`;
  }

  private renderTensors(report: ComparisonReport): TemplateResult {
    const { gridMeasure, gridFlat, gridSorting, expanded } = this.page;
    const reference = this.referenceIn(report);
    return html`<section class="tensors" aria-label="By tensor">
      <div class="section-head">
        <h3>By tensor</h3>
        <span class="spacer"></span>
        ${renderDropdown(
          'grid-measure',
          'Measure',
          gridMeasure,
          TENSOR_MEASURES.map((id) => [id, MEASURES[id].label]),
          (value) => this.change({ gridMeasure: value as TensorMeasure }),
        )}
        ${renderDropdown(
          'grid-reference',
          'Compare with',
          reference,
          [['', 'none'], ...report.formats.map(({ id, label }) => [id, label] as const)],
          (value) => this.change({ reference: value }),
        )}
        <qs-segmented
          label="Rows"
          .value=${gridFlat ? 'tensors' : 'layers'}
          .options=${[
            { value: 'layers', label: 'by layer' },
            { value: 'tensors', label: 'all tensors' },
          ]}
          @choice-changed=${(event: CustomEvent<string>) =>
            this.change({ gridFlat: event.detail === 'tensors' })}
        ></qs-segmented>
      </div>
      <qs-comparison-grid
        .report=${report}
        .root=${this.treeOf(report)}
        .measure=${gridMeasure}
        .reference=${reference}
        .flat=${gridFlat}
        .sorting=${gridSorting}
        .expanded=${this.expandedSet(expanded)}
        @layer-toggled=${(event: CustomEvent<string>) => this.toggle(event.detail)}
        @sorting-changed=${(event: CustomEvent<Sorting | undefined>) =>
          this.change({ gridSorting: event.detail })}
        @tensor-revealed=${(event: CustomEvent<string>) =>
          void this.host.revealTensor({ tensor: event.detail })}
      ></qs-comparison-grid>
    </section>`;
  }

  private referenceIn({ formats }: ComparisonReport): string {
    const { reference } = this.page;
    if (reference === '' || formats.some(({ id }) => id === reference)) return reference ?? '';
    return formats[0]?.id ?? '';
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

function renderDropdown(
  id: string,
  label: string,
  value: string,
  options: readonly (readonly [value: string, label: string])[],
  choose: (value: string) => void,
): TemplateResult {
  return html`<span class="control-pair">
    <label class="field" for=${id}>${label}</label>
    <vscode-dropdown
      id=${id}
      aria-label=${label}
      .value=${value}
      @change=${(event: Event) => choose(dropdownValue(event))}
    >
      ${options.map(
        ([option, text]) =>
          html`<vscode-option value=${option} ?selected=${option === value}
            >${text}</vscode-option
          >`,
      )}
    </vscode-dropdown>
  </span>`;
}
