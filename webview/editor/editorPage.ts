import type { TemplateResult } from 'lit';
import { html, nothing } from 'lit';
import { customElement, property, state } from 'lit/decorators.js';
import type { EditorHostApi, EditorPageApi, EditorState } from '../../src/reports/editorPage.js';
import type { Connection, Handlers } from '../../src/rpc/rpc.js';
import { css } from '../components/cssom.js';
import { connectToHost, restoreState, saveState } from '../components/hostConnection.js';
import { LightElement } from '../components/lightElement.js';
import { LongRead } from '../components/longRead.js';
import '../components/messageBar.js';
import '../components/splitter.js';
import './checkpointHeader.js';
import type { IntegrityPanel } from './integrityPanel.js';
import './integrityPanel.js';
import './layerDetails.js';
import type { PageState } from './pageState.js';
import { firstSight, INITIAL_STATE } from './pageState.js';
import { onRegionKey } from './regions.js';
import type { DetailsView } from './tensorDetails.js';
import './tensorDetails.js';
import type { TensorList } from './tensorList.js';
import './tensorList.js';
import type { TreeItem, TreeView } from './treeModel.js';
import { TreeModel } from './treeModel.js';
import './weightDetails.js';

/** Milliseconds without scrolling after which the position is stored. */
const SCROLL_PAUSE = 150;

/** Width in CSS pixels below which the details stand under the list. */
const STACK_BELOW = 600;

/** The page of a safetensors editor. */
@customElement('qs-editor-page')
export class EditorPage extends LightElement implements Handlers<EditorPageApi> {
  @property({ attribute: false }) private opened?: EditorState;
  @state() private fileHasChanged = false;
  @state() private stacked = false;
  @state() private page: PageState = { ...INITIAL_STATE, ...restoreState<PageState>() };
  @state() private groupSize = 128;
  /** Layers and weights closed by hand while the filter opens them all. */
  @state() private closedInFilter: ReadonlySet<string> = new Set();

  private scrollTimer?: ReturnType<typeof setTimeout>;
  private readonly opening = new LongRead<EditorState>(this);
  // Handed on whole: the remote is a proxy that templates cannot carry.
  private readonly connection: Connection<EditorHostApi>;
  private readonly isListed = (name: string): boolean => this.model.tensors.has(name);
  private model = new TreeModel({ tensors: [], layers: [] });
  private list: TreeView = { rows: [], found: { tensors: 0, elements: 0, bytes: 0 } };
  private pendingReveal?: string;
  private pendingCheck = false;
  private readonly resizes = new ResizeObserver(() => {
    this.stacked = this.clientWidth < STACK_BELOW;
  });

  constructor() {
    super();
    this.connection = connectToHost<EditorPageApi, EditorHostApi>({
      revealTensor: ({ tensor }) => this.revealTensor({ tensor }),
      fileChanged: () => this.fileChanged(),
      checkIntegrity: () => this.checkIntegrity(),
    });
  }

  private get host(): Connection<EditorHostApi>['remote'] {
    return this.connection.remote;
  }

  override connectedCallback(): void {
    super.connectedCallback();
    this.dataset.vscodeContext = JSON.stringify({ preventDefaultContextMenuItems: true });
    this.resizes.observe(this);
    this.addEventListener('keydown', (event) =>
      onRegionKey(event, [this.tensorList, this.querySelector('main'), this.integrityPanel]),
    );
    void this.open((options) => this.host.open(null, options));
  }

  revealTensor({ tensor }: { readonly tensor: string }): void {
    const found = this.model.tensors.get(tensor);
    if (!found) {
      this.pendingReveal = tensor;
      return;
    }
    const filtered = this.list.rows.every((row) => row.kind !== 'tensor' || row.tensor !== found);
    const branches = this.model.branchesOf(found);
    this.change({
      selected: { kind: 'tensor', name: tensor },
      expanded: branches.length
        ? [...new Set([...this.page.expanded, ...branches])]
        : this.page.expanded,
      ...(filtered && this.page.filter !== '' && { filter: '' }),
    });
    void this.updateComplete.then(() => this.tensorList?.reveal({ kind: 'tensor', name: tensor }));
  }

  fileChanged(): void {
    this.fileHasChanged = true;
  }

  checkIntegrity(): void {
    this.pendingCheck = this.opened === undefined;
    if (this.pendingCheck) return;
    this.change({ integrityShown: true });
    void this.updateComplete.then(() => this.integrityPanel?.focus());
  }

  private get integrityPanel(): IntegrityPanel | null {
    return this.querySelector<IntegrityPanel>('qs-integrity-panel');
  }

  private get tensorList(): TensorList | null {
    return this.querySelector<TensorList>('qs-tensor-list');
  }

  private async open(read: Parameters<LongRead<EditorState>['start']>[0]): Promise<void> {
    await this.opening.start(read);
    const { value } = this.opening;
    if (!value) return;
    const first = this.opened === undefined && Object.keys(restoreState()).length === 0;
    this.opened = value;
    this.fileHasChanged = false;
    this.groupSize = value.groupSize;
    this.model = new TreeModel(value.checkpoint);
    if (first) this.change(firstSight(this.model));
    if (this.pendingReveal !== undefined) this.revealTensor({ tensor: this.pendingReveal });
    this.pendingReveal = undefined;
    // No check begins unasked: one is shown again where the host has it.
    if (this.page.integrityShown && !value.isChecked) this.change({ integrityShown: false });
    if (this.pendingCheck) this.checkIntegrity();
  }

  private change(part: Partial<PageState>): void {
    this.page = { ...this.page, ...part };
    saveState(this.page);
  }

  protected override willUpdate(changed: Map<PropertyKey, unknown>): void {
    if (!['opened', 'page', 'closedInFilter'].some((name) => changed.has(name))) return;
    const before = changed.get('page') as PageState | undefined;
    const { expanded, filter } = this.page;
    const same = before && before.expanded === expanded && before.filter === filter;
    if (same && !changed.has('opened') && !changed.has('closedInFilter')) return;
    const open = new Set(expanded);
    this.list = this.model.view(
      (branch) => (filter.trim() ? !this.closedInFilter.has(branch) : open.has(branch)),
      filter,
    );
  }

  override render(): TemplateResult {
    const { opened } = this;
    if (!opened) return this.renderOpening();
    const { headerExpanded, split, stackedSplit, selected } = this.page;
    const share = this.stacked ? stackedSplit : split;
    return html`${this.renderFileChanged()}
      <qs-checkpoint-header
        .checkpoint=${opened.checkpoint}
        .expanded=${headerExpanded}
        @whole-model-asked=${() => void this.host.openWholeModel(null)}
        @header-toggled=${() => this.change({ headerExpanded: !headerExpanded })}
        @check-asked=${() => this.checkIntegrity()}
      ></qs-checkpoint-header>
      ${this.page.integrityShown ? this.renderIntegrity() : nothing}
      <div
        class="editor-body ${this.stacked ? 'stacked' : ''}"
        ${css({ '--list-share': `${share}%` })}
        @item-selected=${(event: CustomEvent<TreeItem>) => this.select(event.detail)}
        @split-changed=${(event: CustomEvent<number>) => this.setSplit(event.detail)}
        @split-reset=${() => this.setSplit(this.stacked ? INITIAL_STATE.stackedSplit : INITIAL_STATE.split)}
      >
        ${this.renderList(opened)}
        <qs-splitter .share=${share} .stacked=${this.stacked} label="List size"></qs-splitter>
        <main class="details" data-testid="details" aria-label="Details" tabindex="-1">
          ${selected ? this.renderDetails(selected) : this.renderNothingSelected()}
        </main>
      </div>`;
  }

  private renderOpening(): TemplateResult {
    const { state } = this.opening;
    return html`<div class="page-message">
      ${
        state.kind === 'failed'
          ? this.renderFailure(state.message)
          : this.opening.renderWaiting('Reading the header', () => undefined)
      }
    </div>`;
  }

  private renderFailure(message: string): TemplateResult {
    return html`<qs-message-bar
      kind="error"
      .text=${message}
      .actions=${[
        { label: 'Copy', run: () => void this.host.copyText({ text: message }) },
        { label: 'Reload', run: () => void this.reload() },
      ]}
    ></qs-message-bar>`;
  }

  private renderFileChanged(): TemplateResult | typeof nothing {
    const { state } = this.opening;
    if (state.kind === 'failed') return this.renderFailure(state.message);
    if (!this.fileHasChanged) return nothing;
    return html`<qs-message-bar
      .text=${'The file has changed on disk.'}
      .actions=${[{ label: 'Reload', run: () => void this.reload() }]}
    ></qs-message-bar>`;
  }

  private renderIntegrity(): TemplateResult {
    return html`<qs-integrity-panel
      .connection=${this.connection}
      .isListed=${this.isListed}
      @item-selected=${(event: CustomEvent<TreeItem>) => this.select(event.detail)}
      @integrity-closed=${() => this.closeIntegrity()}
    ></qs-integrity-panel>`;
  }

  private closeIntegrity(): void {
    this.change({ integrityShown: false });
    this.tensorList?.focus();
  }

  private renderList({ checkpoint }: EditorState): TemplateResult {
    const { filter, selected, scroll } = this.page;
    return html`<qs-tensor-list
      .checkpoint=${checkpoint}
      .view=${this.list}
      .filter=${filter}
      .selected=${selected}
      .initialScroll=${scroll}
      @filter-changed=${(event: CustomEvent<string>) => this.setFilter(event.detail)}
      @branch-toggled=${(event: CustomEvent<string>) => this.toggle(event.detail)}
      @name-copied=${(event: CustomEvent<string>) =>
        void this.host.copyText({ text: event.detail })}
      @tree-scrolled=${(event: CustomEvent<number>) => this.keepScroll(event.detail)}
    ></qs-tensor-list>`;
  }

  private renderDetails({ kind, name }: TreeItem): TemplateResult {
    const layer = kind === 'layer' ? this.model.layers.get(name) : undefined;
    if (layer) {
      return html`<qs-layer-details
        .connection=${this.connection}
        .layer=${layer}
      ></qs-layer-details>`;
    }
    const weight = kind === 'weight' ? this.model.weights.get(name) : undefined;
    if (weight) return html`<qs-weight-details .weight=${weight}></qs-weight-details>`;
    const tensor = kind === 'tensor' ? this.model.tensors.get(name) : undefined;
    if (!tensor) return this.renderNothingSelected();
    return html`<qs-tensor-details
      .connection=${this.connection}
      .tensor=${tensor}
      .view=${this.page.view}
      .groupSize=${this.groupSize}
      @view-changed=${(event: CustomEvent<Partial<DetailsView>>) =>
        this.change({ view: { ...this.page.view, ...event.detail } })}
      @group-size-changed=${(event: CustomEvent<number>) => this.setGroupSize(event.detail)}
    ></qs-tensor-details>`;
  }

  private renderNothingSelected(): TemplateResult {
    return html`<p class="note nothing-selected">
      Select a tensor or a layer to see its weights.
    </p>`;
  }

  private select(item: TreeItem): void {
    if (item.kind === 'tensor') this.revealTensor({ tensor: item.name });
    else this.change({ selected: item });
  }

  private toggle(branch: string): void {
    if (this.page.filter.trim()) {
      const closed = new Set(this.closedInFilter);
      if (!closed.delete(branch)) closed.add(branch);
      this.closedInFilter = closed;
      return;
    }
    const expanded = new Set(this.page.expanded);
    if (!expanded.delete(branch)) expanded.add(branch);
    this.change({ expanded: [...expanded] });
  }

  private setFilter(filter: string): void {
    this.closedInFilter = new Set();
    this.change({ filter });
  }

  private setSplit(share: number): void {
    this.change(this.stacked ? { stackedSplit: share } : { split: share });
  }

  private setGroupSize(groupSize: number): void {
    this.groupSize = groupSize;
    void this.host.setGroupSize({ groupSize });
  }

  private keepScroll(scroll: number): void {
    // Nothing on the page depends on it, so it is stored without rendering.
    Object.assign(this.page, { scroll });
    clearTimeout(this.scrollTimer);
    this.scrollTimer = setTimeout(() => saveState(this.page), SCROLL_PAUSE);
  }

  private reload(): Promise<void> {
    return this.open((options) => this.host.reload(null, options));
  }
}
