import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import type { ComparisonReport } from '../components/protocolTypes.js';
import type { CalibrationView } from './calibrationSection.js';
import { hasFindings } from './calibrationSection.js';
import './calibrationSection.js';
import type { GridRow } from './gridModel.js';
import './lengthChart.js';
import type { LayerView } from './layerBars.js';
import './layerBars.js';
import type { PageState } from './pageState.js';
import './paretoChart.js';

/** What charts are drawn from, and what they lead to. */
export interface Charts {
  readonly report: ComparisonReport;
  /** The report's measures as a tree. */
  readonly root: GridRow;
  readonly page: PageState;
  readonly actions: {
    change(part: Partial<PageState>): void;
    savePng(picture: { readonly name: string; readonly png: Uint8Array }): void;
  };
}

/** Every chart that a report has something for. */
export function renderCharts(charts: Charts): TemplateResult {
  return html`${renderPareto(charts)}${renderLength(charts)}${renderLayers(charts)}${renderCalibration(charts)}`;
}

function renderPareto({ report, page, actions }: Charts): TemplateResult | typeof nothing {
  if (!report.baseline.perplexity) return nothing;
  return html`<qs-pareto-chart
    .report=${report}
    ?asTable=${page.paretoAsTable}
    @table-toggled=${(event: CustomEvent<boolean>) =>
      actions.change({ paretoAsTable: event.detail })}
    @chart-png=${(event: CustomEvent<Uint8Array>) =>
      actions.savePng({ name: 'perplexity-against-size', png: event.detail })}
  ></qs-pareto-chart>`;
}

function renderLength({ report, page, actions }: Charts): TemplateResult {
  return html`<qs-length-chart
    .report=${report}
    ?asTable=${page.lengthAsTable}
    @table-toggled=${(event: CustomEvent<boolean>) =>
      actions.change({ lengthAsTable: event.detail })}
    @chart-png=${(event: CustomEvent<Uint8Array>) =>
      actions.savePng({ name: 'calibration-length', png: event.detail })}
  ></qs-length-chart>`;
}

function renderLayers({ report, root, page, actions }: Charts): TemplateResult {
  return html`<qs-layer-bars
    .report=${report}
    .root=${root}
    .view=${page.layers}
    @layer-view-changed=${(event: CustomEvent<Partial<LayerView>>) =>
      actions.change({ layers: { ...page.layers, ...event.detail } })}
    @chart-png=${(event: CustomEvent<Uint8Array>) =>
      actions.savePng({ name: `${page.layers.measure}-by-layer`, png: event.detail })}
  ></qs-layer-bars>`;
}

function renderCalibration({ report, page, actions }: Charts): TemplateResult | typeof nothing {
  if (!report.formats.some(hasFindings)) return nothing;
  return html`<qs-calibration-section
    .report=${report}
    .view=${page.calibration}
    @calibration-view-changed=${(event: CustomEvent<Partial<CalibrationView>>) =>
      actions.change({ calibration: { ...page.calibration, ...event.detail } })}
    @chart-png=${(event: CustomEvent<Uint8Array>) =>
      actions.savePng({ name: 'calibration', png: event.detail })}
  ></qs-calibration-section>`;
}
