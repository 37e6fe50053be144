import { nameStorage, nameUndecoded } from '../../src/reports/storedAs.js';
import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { css } from '../components/cssom.js';
import { LightElement } from '../components/lightElement.js';
import { countOf, formatInteger, formatSize } from '../components/numbers.js';
import type { Checkpoint } from '../components/protocolTypes.js';
import type { FilterBox } from './filterBox.js';
import './filterBox.js';
import type { TensorTree } from './tensorTree.js';
import './tensorTree.js';
import type { TreeItem, TreeView } from './treeModel.js';

/** Width of the column of types in em: for "BF16", and for long names of layouts such as "GPTQ 4-bit g128". */
const LEAST_TYPE = 3.9;
const MOST_TYPE = 9.5;
/** Of a character of the column's smaller type. */
const TYPE_CHARACTER = 0.52;

/** The filter, the tree of tensors and what they come to; passes their events on. */
@customElement('qs-tensor-list')
export class TensorList extends LightElement {
  @property({ attribute: false }) checkpoint!: Checkpoint;
  @property({ attribute: false }) view!: TreeView;
  @property() filter = '';
  @property({ attribute: false }) selected?: TreeItem;
  @property({ attribute: false }) initialScroll = 0;

  private typeWidth = `${LEAST_TYPE}em`;

  private get tree(): TensorTree | null {
    return this.querySelector<TensorTree>('qs-tensor-tree');
  }

  /** Puts the keyboard into the tree. */
  override focus(): void {
    this.tree?.focus();
  }

  /** Scrolls to an item and makes it the active one. */
  async reveal(item: TreeItem): Promise<void> {
    await this.updateComplete;
    await this.tree?.reveal(item);
  }

  override render(): TemplateResult {
    const { filter, view } = this;
    const filtering = filter.trim() !== '';
    return html`<section
      class="list"
      aria-label="Tensors"
      ${css({ '--type-width': this.typeWidth })}
    >
      <qs-filter-box
        .value=${filter}
        .found=${filtering ? view.found.tensors : undefined}
        @filter-left=${() => this.tree?.focus()}
      ></qs-filter-box>
      <div class="tree-head" aria-hidden="true">
        <span class="tree-name">Tensor</span><span class="tree-dtype">Type</span>
        <span class="tree-shape">Shape</span><span class="tree-size">Size</span><span></span>
      </div>
      ${filtering && view.found.tensors === 0 ? this.renderNoMatch() : nothing}
      <qs-tensor-tree
        .rows=${view.rows}
        .selected=${this.selected}
        .initialScroll=${this.initialScroll}
      ></qs-tensor-tree>
      <footer class="totals">${this.totals()}</footer>
    </section>`;
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('checkpoint')) return;
    const { tensors } = this.checkpoint;
    const types = tensors.map((each) =>
      each.partOf ? nameUndecoded(each.partOf) : nameStorage(each),
    );
    const longest = types.reduce((most, type) => Math.max(most, type.length), 0);
    this.typeWidth = `${Math.min(MOST_TYPE, Math.max(LEAST_TYPE, longest * TYPE_CHARACTER))}em`;
  }

  private renderNoMatch(): TemplateResult {
    const clear = (): void => {
      this.emit('filter-changed', '');
      this.querySelector<FilterBox>('qs-filter-box')?.focus();
    };
    return html`<p class="no-match" role="status">
      No tensor matches ‘<bdi>${this.filter.trim()}</bdi>’.
      <button class="link" @click=${clear}>Clear filter</button>
    </p>`;
  }

  /** "38 tensors · 3,672,320 weights · 7.00 MB", of those found where there is a filter. */
  private totals(): string {
    const { found } = this.view;
    const { tensors: listed, unlistedTensors = 0 } = this.checkpoint;
    const all = listed.length + unlistedTensors;
    const some = found.tensors < all;
    const tensors = countOf(all, 'tensor');
    return [
      some ? `${formatInteger(found.tensors)} of ${tensors}` : tensors,
      countOf(some ? found.elements : this.checkpoint.totalElements, 'weight'),
      formatSize(some ? found.bytes : this.checkpoint.totalBytes),
    ].join(' · ');
  }
}
