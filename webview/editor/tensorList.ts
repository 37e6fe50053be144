import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property } from 'lit/decorators.js';
import { LightElement } from '../components/lightElement.js';
import { countOf, formatInteger, formatSize } from '../components/numbers.js';
import type { Checkpoint } from '../components/protocolTypes.js';
import type { FilterBox } from './filterBox.js';
import './filterBox.js';
import type { TensorTree } from './tensorTree.js';
import './tensorTree.js';
import type { TreeItem, TreeView } from './treeModel.js';

/** The filter, the tree of tensors and what they come to; passes their events on. */
@customElement('qs-tensor-list')
export class TensorList extends LightElement {
  @property({ attribute: false }) checkpoint!: Checkpoint;
  @property({ attribute: false }) view!: TreeView;
  @property() filter = '';
  @property({ attribute: false }) selected?: TreeItem;
  @property({ attribute: false }) initialScroll = 0;

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
    return html`<section class="list" aria-label="Tensors">
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
