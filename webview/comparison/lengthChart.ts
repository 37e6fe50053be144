import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { ChartContent } from '../components/chartFrame.js';
import '../components/chartFrame.js';
import { LightElement } from '../components/lightElement.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import { lengthContent, lengthNote } from './lengthFigure.js';

/**
 * What the length of calibration windows does (SLAC), where formats differ in it. Sends `table-toggled`
 * (boolean) and `chart-png`.
 */
@customElement('qs-length-chart')
export class LengthChart extends LightElement {
  @property({ attribute: false }) report!: ComparisonReport;
  @property({ type: Boolean }) asTable = false;

  private content?: ChartContent;

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('report')) this.content = lengthContent(this.report);
  }

  override render(): TemplateResult | typeof nothing {
    if (!this.content) return nothing;
    return html`<qs-chart-frame
      heading="Calibration length"
      .note=${lengthNote(this.report)}
      .content=${this.content}
      ?asTable=${this.asTable}
      savable
      hint="Hover or use the arrow keys to read a length."
    ></qs-chart-frame>`;
  }
}
