import type { PropertyValues, TemplateResult } from 'lit';
import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import {
  MAIN_MEASURES,
  withOutputMeasures,
  type WeightMeasure,
} from '../../src/metrics/measures.js';
import type { ChartContent } from '../components/chartFrame.js';
import '../components/chartFrame.js';
import { dropdownValue } from '../components/controls.js';
import { LightElement } from '../components/lightElement.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import '../components/segmented.js';
import { onThemeChange, readTheme } from '../components/theme.js';
import type { GridRow } from './gridModel.js';
import type { LayerChart, LayerMarks } from './layerFigure.js';
import { axisTitle, chartRows, layerContent } from './layerFigure.js';
import { MEASURES } from './measures.js';
import { seriesStyles, seriesSwatch, symbolSwatch } from './seriesStyles.js';

/** How the chart is shown; kept with the page's state. */
export interface LayerView {
  readonly measure: WeightMeasure;
  readonly marks: LayerMarks;
  readonly hidden: readonly string[];
  readonly asTable: boolean;
}

export const DEFAULT_LAYER_VIEW: LayerView = {
  measure: 'sqnrDb',
  marks: 'bars',
  hidden: [],
  asTable: false,
};

/** A measure by layer, all formats side by side. Sends `layer-view-changed` and `chart-png`. */
@customElement('qs-layer-bars')
export class LayerBars extends LightElement {
  @property({ attribute: false }) report!: ComparisonReport;
  /** The report's measures as a tree. */
  @property({ attribute: false }) root!: GridRow;
  @property({ attribute: false }) view = DEFAULT_LAYER_VIEW;

  private chart!: LayerChart;
  private content?: ChartContent;
  private stopTheme?: () => void;

  override connectedCallback(): void {
    super.connectedCallback();
    this.stopTheme = onThemeChange(() => this.requestUpdate());
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.stopTheme?.();
  }

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (!changed.has('report') && !changed.has('view')) return;
    const { measure, marks, hidden } = this.view;
    const { report, root } = this;
    this.chart = { report, root, measure, marks, hidden: new Set(hidden) };
    this.content = layerContent(this.chart);
  }

  override render(): TemplateResult {
    const { asTable } = this.view;
    const rows = chartRows(this.root);
    const kind = rows[0]?.kind === 'tensor' ? 'tensor' : 'layer';
    return html`<qs-chart-frame
      heading="By ${kind}"
      .note=${axisTitle(this.chart)}
      .content=${this.content}
      .asTable=${asTable}
      .tools=${this.renderTools()}
      .legend=${this.renderLegend()}
      savable
      hint="Hover or use the arrow keys to read a ${kind}."
      @table-toggled=${() => this.change({ asTable: !asTable })}
    ></qs-chart-frame>`;
  }

  private renderTools(): TemplateResult {
    const { measure, marks } = this.view;
    return html`<span class="control-pair">
        <label class="field" for="layer-measure">Measure</label>
        <vscode-dropdown
          id="layer-measure"
          aria-label="Measure of the chart"
          .value=${measure}
          @change=${(event: Event) =>
            this.change({ measure: dropdownValue(event) as WeightMeasure })}
        >
          ${withOutputMeasures(MAIN_MEASURES, this.report.outputErrorText !== undefined).map(
            (id) =>
              html`<vscode-option value=${id} ?selected=${id === measure}
                >${MEASURES[id].label}</vscode-option
              >`,
          )}
        </vscode-dropdown>
      </span>
      <qs-segmented
        label="Marks"
        .value=${marks}
        .options=${[
          { value: 'bars', label: 'from zero' },
          { value: 'dots', label: 'fit' },
        ]}
        @choice-changed=${(event: CustomEvent<LayerMarks>) => this.change({ marks: event.detail })}
      ></qs-segmented>`;
  }

  private renderLegend(): TemplateResult {
    const { formats } = this.report;
    const styles = seriesStyles(
      formats.map(({ id }) => id),
      readTheme(),
    );
    const hidden = new Set(this.view.hidden);
    const swatch = this.view.marks === 'dots' ? symbolSwatch : seriesSwatch;
    return html`<div class="series-legend" role="group" aria-label="Formats shown">
      ${formats.map(
        ({ id, label }) =>
          html`<button
            class="series ${hidden.has(id) ? 'off' : ''}"
            aria-pressed=${hidden.has(id) ? 'false' : 'true'}
            title=${id}
            @click=${() => this.toggle(id)}
          >
            ${swatch(styles.get(id)!)}<span>${label}</span>
          </button>`,
      )}
    </div>`;
  }

  private toggle(id: string): void {
    const hidden = new Set(this.view.hidden);
    if (!hidden.delete(id)) hidden.add(id);
    this.change({ hidden: [...hidden] });
  }

  private change(part: Partial<LayerView>): void {
    this.emit('layer-view-changed', part);
  }
}
