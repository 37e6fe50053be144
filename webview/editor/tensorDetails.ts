import type { PropertyValues, TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { EditorHostApi } from '../../src/reports/editorPage.js';
import { nameStorage } from '../../src/reports/storedAs.js';
import type { Connection } from '../../src/rpc/rpc.js';
import type { ChartContent } from '../components/chartFrame.js';
import '../components/chartFrame.js';
import { copyIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { LongRead } from '../components/longRead.js';
import { visibleName } from '../components/names.js';
import { countOf, formatInteger, formatShape, formatSize } from '../components/numbers.js';
import type { Tensor, TensorDetails as Details } from '../components/protocolTypes.js';
import '../components/segmented.js';
import './groupBands.js';
import type { CountScale } from './histogramFigure.js';
import { histogramContent, histogramNote } from './histogramFigure.js';
import { axisNames } from './orientation.js';
import './statList.js';
import { quantizableTensors } from './treeModel.js';

/** Bins of the histogram: about one for each two pixels. */
const BINS = 256;

/** How the charts are shown; kept with the page's state. */
export interface DetailsView {
  readonly countScale: CountScale;
  readonly histogramAsTable: boolean;
  readonly groupsAsTable: boolean;
  readonly asymmetryAsTable: boolean;
  readonly moreStatistics: boolean;
}

export const DEFAULT_VIEW: DetailsView = {
  countScale: 'log',
  histogramAsTable: false,
  groupsAsTable: false,
  asymmetryAsTable: false,
  moreStatistics: false,
};

/** What one tensor's weights are like. Sends `view-changed` (part of {@link DetailsView}). */
@customElement('qs-tensor-details')
export class TensorDetails extends LightElement {
  @property({ attribute: false }) connection!: Connection<EditorHostApi>;
  @property({ attribute: false }) tensor!: Tensor;
  @property({ attribute: false }) view = DEFAULT_VIEW;
  @property({ type: Number }) groupSize = 128;

  private readonly details = new LongRead<Details>(this);
  private histogram?: ChartContent;
  private drawn?: { readonly details: Details; readonly scale: CountScale };

  protected override willUpdate(changed: PropertyValues<this>): void {
    if (changed.has('tensor')) {
      const argument = { tensor: this.tensor.name, bins: BINS };
      void this.details.start((options) => this.connection.remote.tensorDetails(argument, options));
    }
    const { value } = this.details;
    const { countScale } = this.view;
    if (!value) {
      this.histogram = this.drawn = undefined;
    } else if (this.drawn?.details !== value || this.drawn.scale !== countScale) {
      this.drawn = { details: value, scale: countScale };
      this.histogram = value.histogram.counts.length
        ? histogramContent(value, countScale)
        : undefined;
    }
  }

  override render(): TemplateResult {
    const { tensor } = this;
    return html`<article>
      ${this.renderHead()}
      ${
        tensor.elements === 0
          ? html`<p class="note">There are no weights: a dimension of the shape is zero.</p>`
          : this.renderBody()
      }
    </article>`;
  }

  private renderHead(): TemplateResult {
    const { tensor } = this;
    const names = quantizableTensors(tensor);
    const label = tensor.layer ? `${tensor.layer}.${tensor.nameInLayer}` : tensor.name;
    return html`<div class="details-head">
        <h2 title=${visibleName(tensor.name)}>
          ${
            tensor.layer
              ? html`<span class="crumb"><bdi>${visibleName(tensor.layer)}</bdi> › </span>`
              : nothing
          }<bdi>${visibleName(tensor.nameInLayer || tensor.name)}</bdi>
          <button
            class="tool"
            aria-label="Copy Name"
            title="Copy Name"
            @click=${() => void this.connection.remote.copyText({ text: tensor.name })}
          >
            ${copyIcon}
          </button>
        </h2>
        <vscode-button
          ?disabled=${names.length === 0}
          title=${tensor.notQuantizable ? `Not quantizable: ${tensor.notQuantizable}` : ''}
          @click=${() => void this.connection.remote.quantizeLayer({ tensors: names, label })}
          >Quantize Layer…</vscode-button
        >
      </div>
      <p class="note details-facts">${this.factsOf(tensor)}</p>
      ${renderParts(tensor)}`;
  }

  private factsOf(tensor: Tensor): string {
    const { shape, exactShape, elements, bytes, offset, file, storage, partOf } = tensor;
    const { notQuantizable, notByDefault } = tensor;
    const axes = axisNames(tensor);
    return [
      storage ? `decoded from ${storage.label}` : nameStorage(tensor),
      formatShape(shape, exactShape) + (axes && ` (${axes})`),
      partOf ? countOf(elements, 'stored number') : countOf(elements, 'weight'),
      storage
        ? `${formatInteger(bytes)} B in ${countOf(storage.parts.length, 'tensor')}`
        : `${formatInteger(bytes)} B at offset ${formatInteger(offset)}`,
      visibleName(file),
      notQuantizable
        ? `not quantizable: ${notQuantizable}`
        : notByDefault && `not quantized by default: ${notByDefault}`,
    ]
      .filter(Boolean)
      .join(' · ');
  }

  private renderBody(): TemplateResult {
    const { value, state } = this.details;
    const waiting = this.details.renderWaiting('Reading weights', (text) => {
      void this.connection.remote.copyText({ text });
    });
    if (state.kind === 'failed') return html`<div class="chart-wait">${waiting}</div>`;
    return html`${
        value
          ? html`<qs-stat-list
                .statistics=${value.statistics}
                .tensor=${this.tensor}
                .more=${this.view.moreStatistics}
                @more-toggled=${() => this.change({ moreStatistics: !this.view.moreStatistics })}
              ></qs-stat-list>
              ${this.renderHistogram(value)}`
          : html`<div class="chart-wait whole">${waiting}</div>`
      }
      <qs-group-bands
        .connection=${this.connection}
        .tensor=${this.tensor}
        .groupSize=${this.groupSize}
        .bandsAsTable=${this.view.groupsAsTable}
        .asymmetryAsTable=${this.view.asymmetryAsTable}
        @group-table-toggled=${() => this.change({ groupsAsTable: !this.view.groupsAsTable })}
        @asymmetry-table-toggled=${() =>
          this.change({ asymmetryAsTable: !this.view.asymmetryAsTable })}
      ></qs-group-bands>`;
  }

  private renderHistogram(value: Details): TemplateResult {
    if (!this.histogram) {
      return html`<p class="note">There is no finite weight to draw a histogram of.</p>`;
    }
    const tools = html`<qs-segmented
      label="Counts"
      .value=${this.view.countScale}
      .options=${[
        { value: 'log', label: 'log' },
        { value: 'linear', label: 'linear' },
      ]}
      @choice-changed=${(event: CustomEvent<CountScale>) =>
        this.change({ countScale: event.detail })}
    ></qs-segmented>`;
    return html`<qs-chart-frame
      heading="Histogram"
      .note=${histogramNote(value)}
      .content=${this.histogram}
      .asTable=${this.view.histogramAsTable}
      .tools=${tools}
      hint="Hover or use the arrow keys to read a bin."
      @table-toggled=${() => this.change({ histogramAsTable: !this.view.histogramAsTable })}
    ></qs-chart-frame>`;
  }

  private change(part: Partial<DetailsView>): void {
    this.emit('view-changed', part);
  }
}

/** The tensors that a weight is decoded from, folded. */
function renderParts({ storage }: Tensor): TemplateResult | undefined {
  if (!storage) return undefined;
  return html`<details class="stored-parts">
    <summary>Stored in ${countOf(storage.parts.length, 'tensor')}</summary>
    <table class="layer-table">
      <thead>
        <tr>
          <th scope="col">Tensor</th>
          <th scope="col">Type</th>
          <th scope="col">Shape</th>
          <th scope="col" class="number">Size</th>
        </tr>
      </thead>
      <tbody>
        ${storage.parts.map(
          ({ name, dtype, shape, bytes }) =>
            html`<tr>
              <th scope="row"><bdi>${visibleName(name)}</bdi></th>
              <td>${dtype}</td>
              <td>${formatShape(shape)}</td>
              <td class="number">${formatSize(bytes)}</td>
            </tr>`,
        )}
      </tbody>
    </table>
  </details>`;
}
