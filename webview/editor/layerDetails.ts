import { nameStorage } from '../../src/reports/storedAs.js';
import type { TemplateResult } from 'lit';
import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import type { EditorHostApi } from '../../src/reports/editorPage.js';
import type { Connection } from '../../src/rpc/rpc.js';
import { LightElement } from '../components/lightElement.js';
import { visibleName } from '../components/names.js';
import { countOf, formatInteger, formatShape, formatSize } from '../components/numbers.js';
import type { Tensor } from '../components/protocolTypes.js';
import type { Layer, TreeItem } from './treeModel.js';
import { quantizableTensors } from './treeModel.js';

/** Rows shown at once; a layer of a mixture of experts can hold thousands. */
const PAGE = 200;

/** What a layer consists of. Sends `item-selected` for a tensor of it. */
@customElement('qs-layer-details')
export class LayerDetails extends LightElement {
  @property({ attribute: false }) connection!: Connection<EditorHostApi>;
  @property({ attribute: false }) layer!: Layer;
  @property({ attribute: false }) private shown = PAGE;

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (changed.has('layer')) this.shown = PAGE;
  }

  override render(): TemplateResult {
    const { layer } = this;
    const { tensors, elements, bytes, quantizableElements } = layer.report;
    const names = quantizableTensors(layer);
    const facts = [
      countOf(tensors, 'tensor'),
      countOf(elements, 'weight'),
      formatSize(bytes),
      names.length
        ? `${countOf(names.length, 'tensor')} with ${countOf(quantizableElements, 'weight')} to quantize`
        : 'nothing to quantize',
    ];
    return html`<article>
      <div class="details-head">
        <h2 title=${visibleName(layer.name)}><bdi>${visibleName(layer.name)}</bdi></h2>
        <vscode-button
          ?disabled=${names.length === 0}
          @click=${() => void this.connection.remote.quantizeLayer({ tensors: names, label: layer.name })}
          >Quantize Layer…</vscode-button
        >
      </div>
      <p class="note details-facts">${facts.join(' · ')}</p>
      ${this.renderTensors()}
    </article>`;
  }

  private renderTensors(): TemplateResult {
    const { tensors, listNames } = this.layer;
    const chosen = new Set(quantizableTensors(this.layer));
    return html`<table class="layer-table">
        <caption class="visually-hidden">
          Tensors of ${visibleName(this.layer.name)}
        </caption>
        <thead>
          <tr>
            <th scope="col">Tensor</th>
            <th scope="col">Type</th>
            <th scope="col" class="number">Shape</th>
            <th scope="col" class="number">Weights</th>
            <th scope="col" class="number">Size</th>
            <th scope="col">Quantize</th>
          </tr>
        </thead>
        <tbody>
          ${tensors.slice(0, this.shown).map(
            (tensor) =>
              html`<tr>
                <th scope="row">
                  <button class="link name" @click=${() => this.select(tensor)}>
                    <bdi>${visibleName(listNames.get(tensor)!)}</bdi>
                  </button>
                </th>
                <td>${nameStorage(tensor)}</td>
                <td class="number">${formatShape(tensor.shape, tensor.exactShape)}</td>
                <td class="number">${tensor.partOf ? '' : formatInteger(tensor.elements)}</td>
                <td class="number">${formatSize(tensor.bytes)}</td>
                <td class="note">
                  ${chosen.has(tensor.name) ? 'yes' : (tensor.notQuantizable ?? tensor.notByDefault)}
                </td>
              </tr>`,
          )}
        </tbody>
      </table>
      ${
        tensors.length > this.shown
          ? html`<button class="link" @click=${() => (this.shown += PAGE)}>
              Show more of ${countOf(tensors.length, 'tensor')}
            </button>`
          : ''
      }`;
  }

  private select(tensor: Tensor): void {
    this.emit<TreeItem>('item-selected', { kind: 'tensor', name: tensor.name });
  }
}
