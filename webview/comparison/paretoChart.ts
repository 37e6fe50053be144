import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { ChartContent } from '../components/chartFrame.js';
import '../components/chartFrame.js';
import { LightElement } from '../components/lightElement.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import { paretoContent } from './paretoFigure.js';

/**
 * Perplexity against size, where at least two formats have both. Sends `table-toggled` (boolean) and
 * `chart-png`.
 */
@customElement('qs-pareto-chart')
export class ParetoChart extends LightElement {
  @property({ attribute: false }) report!: ComparisonReport;
  @property({ type: Boolean }) asTable = false;

  private content?: ChartContent;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('report')) this.content = paretoContent(this.report);
  }

  override render(): TemplateResult | typeof nothing {
    if (!this.content) return nothing;
    return html`<qs-chart-frame
      heading="Perplexity against size"
      note="above the unquantized model, ± one standard error, paired; blue: nothing is better with as few bits"
      .content=${this.content}
      ?asTable=${this.asTable}
      savable
      hint="Hover or use the arrow keys to read a format."
    ></qs-chart-frame>`;
  }
}
