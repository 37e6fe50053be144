import { nameUndecoded } from '../../src/reports/storedAs.js';
import type { TemplateResult } from 'lit';
import { html } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from '../components/lightElement.js';
import { visibleName } from '../components/names.js';
import { countOf, formatShape, formatSize } from '../components/numbers.js';
import type { Tensor } from '../components/protocolTypes.js';
import type { TreeItem, UndecodedWeight } from './treeModel.js';

/** A weight that cannot be decoded: why, and its parts. Sends `item-selected` for one of them. */
@customElement('qs-weight-details')
export class WeightDetails extends LightElement {
  @property({ attribute: false }) weight!: UndecodedWeight;

  override render(): TemplateResult {
    const { name, parts } = this.weight;
    const [{ notQuantizable }] = parts;
    const facts = [
      nameUndecoded(this.weight),
      countOf(parts.length, 'part'),
      formatSize(parts.reduce((sum, { bytes }) => sum + bytes, 0)),
    ];
    return html`<article>
      <div class="details-head">
        <h2 title=${visibleName(name)}><bdi>${visibleName(name)}</bdi></h2>
      </div>
      <p class="note details-facts">${facts.join(' · ')}</p>
      <p class="note details-facts">Each is ${notQuantizable}.</p>
      <table class="layer-table">
        <caption class="visually-hidden">
          Parts of ${visibleName(name)}
        </caption>
        <thead>
          <tr>
            <th scope="col">Tensor</th>
            <th scope="col">Type</th>
            <th scope="col" class="number">Shape</th>
            <th scope="col" class="number">Size</th>
          </tr>
        </thead>
        <tbody>
          ${parts.map((part) => this.renderPart(part))}
        </tbody>
      </table>
    </article>`;
  }

  private renderPart({ name, dtype, shape, exactShape, bytes }: Tensor): TemplateResult {
    return html`<tr>
      <th scope="row">
        <button
          class="link name"
          @click=${() => this.emit<TreeItem>('item-selected', { kind: 'tensor', name })}
        >
          <bdi>${visibleName(name)}</bdi>
        </button>
      </th>
      <td>${dtype}</td>
      <td class="number">${formatShape(shape, exactShape)}</td>
      <td class="number">${formatSize(bytes)}</td>
    </tr>`;
  }
}
