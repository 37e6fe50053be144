import { nameUndecoded } from '../../src/reports/storedAs.js';
import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import { css } from '../components/cssom.js';
import { chevronIcon, moreIcon } from '../components/icons.js';
import { LightElement } from '../components/lightElement.js';
import { visibleName } from '../components/names.js';
import { countOf, formatShape, formatSize } from '../components/numbers.js';
import { scrollToRow, visibleWindow } from '../components/windowing.js';
import { TreeKeys } from './treeKeys.js';
import type { TreeItem, TreeRow, UndecodedWeight } from './treeModel.js';
import { rowKey, sameItem } from './treeModel.js';

/** CSS pixels, as VS Code's own lists. */
const ROW_HEIGHT = 22;

/**
 * The list of tensors: an ARIA tree that renders only the rows in view. Sends `item-selected`
 * ({@link TreeItem}), `branch-toggled` (name), `name-copied` (name) and `tree-scrolled` (CSS pixels).
 */
@customElement('qs-tensor-tree')
export class TensorTree extends LightElement {
  @property({ attribute: false }) rows: readonly TreeRow[] = [];
  @property({ attribute: false }) selected?: TreeItem;
  /** Where to start, in CSS pixels; used once. */
  @property({ attribute: false }) initialScroll = 0;
  /** The row that keys act on. */
  @state() private active = -1;
  @state() private viewTop = 0;
  @state() private viewHeight = 600;

  private activeItem?: TreeItem;
  private restored = false;
  private readonly resizes = new ResizeObserver(() => {
    this.viewHeight = this.scroller.clientHeight;
  });
  private readonly keys = new TreeKeys({
    rows: () => this.rows,
    active: () => this.active,
    pageRows: () => Math.max(1, Math.floor(this.viewHeight / ROW_HEIGHT) - 1),
    activate: (row) => this.activate(row),
    select: (row) => this.emit('item-selected', rowKey(this.rows[row])),
    toggle: (branch) => this.emit('branch-toggled', branch),
    openMenu: (row) => void this.openMenu(row),
    copy: (row) => this.emit('name-copied', rowKey(this.rows[row]).name),
  });

  private get scroller(): HTMLElement {
    return this.querySelector<HTMLElement>('.tree')!;
  }

  protected override firstUpdated(): void {
    this.resizes.observe(this.scroller);
  }

  override disconnectedCallback(): void {
    super.disconnectedCallback();
    this.resizes.disconnect();
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!changed.has('rows')) return;
    // The active row stays the same item while rows come and go above it.
    const at = this.rows.findIndex((row) =>
      sameItem(rowKey(row), this.activeItem ?? this.selected),
    );
    this.active = at >= 0 ? at : Math.min(Math.max(0, this.active), this.rows.length - 1);
  }

  protected override updated(): void {
    if (this.restored || this.rows.length === 0) return;
    this.restored = true;
    this.scroller.scrollTop = this.initialScroll;
  }

  /** Puts the keyboard into the tree. */
  override focus(): void {
    this.scroller?.focus();
  }

  /** Scrolls to an item and makes it the active one. */
  async reveal(item: TreeItem): Promise<void> {
    // Rows that came with the same change need their place before one can scroll to it.
    await this.updateComplete;
    const row = this.rows.findIndex((candidate) => sameItem(rowKey(candidate), item));
    if (row >= 0) this.activate(row);
  }

  override render(): TemplateResult {
    const { rows, active } = this;
    const { first, end } = visibleWindow(this.viewTop, this.viewHeight, ROW_HEIGHT, rows.length);
    const indices = Array.from({ length: end - first }, (_, i) => first + i);
    // The active row is always there, so that assistive technology can follow it.
    if (active >= 0 && (active < first || active >= end)) indices.push(active);
    return html`<div
      class="tree"
      role="tree"
      tabindex="0"
      aria-label="Tensors by layer"
      aria-activedescendant=${active >= 0 ? `tree-row-${active}` : nothing}
      @scroll=${this.onScroll}
      @keydown=${(event: KeyboardEvent) => this.keys.handle(event)}
      @click=${this.onClick}
      @contextmenu=${this.onContextMenu}
    >
      <div
        class="tree-rows"
        role="presentation"
        ${css({ height: `${rows.length * ROW_HEIGHT}px` })}
      >
        ${indices.map((index) => this.renderRow(rows[index], index))}
      </div>
    </div>`;
  }

  private renderRow(row: TreeRow, index: number): TemplateResult {
    const item = rowKey(row);
    const selected = sameItem(item, this.selected);
    const classes = ['tree-row', row.kind, `level-${row.level}`];
    if (selected) classes.push('selected');
    if (index === this.active) classes.push('active');
    return html`<div
      id="tree-row-${index}"
      class=${classes.join(' ')}
      role="treeitem"
      data-index=${index}
      data-testid="${row.kind}-row"
      data-layer=${row.kind === 'layer' ? item.name : nothing}
      data-tensor=${row.kind === 'tensor' ? item.name : nothing}
      data-weight=${row.kind === 'weight' ? item.name : nothing}
      data-vscode-context=${menuContext(row)}
      aria-level=${row.level}
      aria-posinset=${row.position}
      aria-setsize=${row.siblings}
      aria-selected=${selected ? 'true' : 'false'}
      aria-expanded=${row.kind === 'tensor' ? nothing : row.expanded ? 'true' : 'false'}
      aria-label=${rowLabel(row)}
      title=${visibleName(item.name)}
      ${css({ top: `${index * ROW_HEIGHT}px` })}
    >
      ${renderCells(row)}
      ${
        isQuantizable(row)
          ? html`<button class="row-menu" tabindex="-1" aria-label="Actions">${moreIcon}</button>`
          : html`<span></span>`
      }
    </div>`;
  }

  private activate(row: number): void {
    this.active = row;
    this.activeItem = rowKey(this.rows[row]);
    const { scroller } = this;
    scroller.scrollTop = scrollToRow(row, scroller.scrollTop, scroller.clientHeight, ROW_HEIGHT);
  }

  private onScroll(): void {
    this.viewTop = this.scroller.scrollTop;
    this.emit('tree-scrolled', this.viewTop);
  }

  private onClick(event: MouseEvent): void {
    const index = rowIndex(event);
    if (index === undefined) return;
    const row = this.rows[index];
    this.activate(index);
    if ((event.target as Element).closest('.row-menu')) {
      void this.openMenu(index);
      return;
    }
    const onTwistie = (event.target as Element).closest('.twistie') !== null;
    if (row.kind !== 'tensor') this.emit('branch-toggled', rowKey(row).name);
    if (!onTwistie) this.emit('item-selected', rowKey(row));
  }

  private onContextMenu(event: MouseEvent): void {
    const index = rowIndex(event);
    if (index !== undefined) this.activate(index);
    // The menu key reports the tree itself; the key handler has opened the row's menu already.
    else event.preventDefault();
  }

  /** Asks VS Code for the row's menu, as a right click at its left end would. */
  private async openMenu(index: number): Promise<void> {
    if (!isQuantizable(this.rows[index])) return;
    await this.updateComplete;
    const element = this.querySelector(`#tree-row-${index}`);
    const anchor = element?.querySelector('.tree-name') ?? element;
    if (!anchor) return;
    const { left, bottom } = anchor.getBoundingClientRect();
    const place = { clientX: left, clientY: bottom, view: window };
    anchor.dispatchEvent(
      new MouseEvent('contextmenu', { ...place, bubbles: true, cancelable: true, button: 2 }),
    );
  }
}

function rowIndex(event: Event): number | undefined {
  const row = (event.target as Element).closest<HTMLElement>('.tree-row');
  return row ? Number(row.dataset.index) : undefined;
}

function isQuantizable(row: TreeRow): boolean {
  if (row.kind === 'layer') return row.layer.report.quantizable.length > 0;
  return row.kind === 'tensor' && row.tensor.notQuantizable === undefined;
}

/** What VS Code's `webview/context` menu and the command behind it learn about a row. */
function menuContext(row: TreeRow): string {
  const base = { preventDefaultContextMenuItems: true };
  if (!isQuantizable(row)) return JSON.stringify(base);
  const { kind, name } = rowKey(row);
  const what = kind === 'layer' ? { layer: name } : { tensor: name, tensors: [name] };
  return JSON.stringify({ ...base, webviewSection: kind, quantizable: true, ...what });
}

function rowLabel(row: TreeRow): string {
  if (row.kind === 'layer') {
    return `${visibleName(row.layer.name)}, ${countOf(row.matches, 'tensor')}, ${formatSize(row.layer.report.bytes)}`;
  }
  if (row.kind === 'weight') {
    return `${visibleName(row.listName)}, ${nameUndecoded(row.weight)}, ${countOf(row.matches, 'part')}, ${formatSize(sizeOf(row.weight.parts))}`;
  }
  const { tensor, type } = row;
  const shape = formatShape(tensor.shape, tensor.exactShape).replaceAll('×', 'by');
  return `${visibleName(row.listName)}, ${type}, ${shape}, ${formatSize(tensor.bytes)}`;
}

function renderCells(row: TreeRow): TemplateResult {
  if (row.kind === 'layer') return renderLayerCells(row);
  return row.kind === 'weight' ? renderWeightCells(row) : renderTensorCells(row);
}

function renderWeightCells(row: TreeRow & { kind: 'weight' }): TemplateResult {
  const { listName, expanded, weight, matches } = row;
  const { parts } = weight;
  const type = nameUndecoded(weight);
  const count = matches < parts.length ? `${matches} of ${parts.length}` : matches;
  return html`<span class="tree-name">
      <span class="twistie ${expanded ? 'open' : ''}">${chevronIcon}</span
      ><bdi>${visibleName(listName)}</bdi><span class="tree-count">${count}</span>
    </span>
    <span class="tree-dtype" title=${type}>${type}</span><span class="tree-shape"></span>
    <span class="tree-size">${formatSize(sizeOf(parts))}</span>`;
}

function sizeOf(parts: UndecodedWeight['parts']): number {
  return parts.reduce((sum, { bytes }) => sum + bytes, 0);
}

function renderLayerCells(row: TreeRow & { kind: 'layer' }): TemplateResult {
  const { layer, matches, expanded } = row;
  const count = matches < layer.tensors.length ? `${matches} of ${layer.tensors.length}` : matches;
  return html`<span class="tree-name">
      <span class="twistie ${expanded ? 'open' : ''}">${chevronIcon}</span
      ><bdi>${visibleName(layer.name)}</bdi><span class="tree-count">${count}</span>
    </span>
    <span class="tree-dtype"></span><span class="tree-shape"></span>
    <span class="tree-size">${formatSize(layer.report.bytes)}</span>`;
}

function renderTensorCells(row: TreeRow & { kind: 'tensor' }): TemplateResult {
  const { tensor, type } = row;
  return html`<span class="tree-name"><bdi>${visibleName(row.listName)}</bdi></span>
    <span class="tree-dtype" title=${type}>${type}</span>
    <span class="tree-shape">${formatShape(tensor.shape, tensor.exactShape)}</span>
    <span class="tree-size">${formatSize(tensor.bytes)}</span>`;
}
