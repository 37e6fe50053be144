import * as vscode from 'vscode';
import type { Assets } from '../../host/host.js';
import { arrangeFormats } from '../../jobs/comparison/joinReports.js';
import type { ComparisonReport } from '../../reports/reports.js';
import { ComparisonPanel } from './comparisonPanel.js';
import type { ComparisonPanelHost } from './comparisonPanel.js';
import { computeComparisonId } from './comparisonRequest.js';
import type { ComparisonRequest } from './comparisonRequest.js';
import { ComparisonRun } from './comparisonRun.js';
import { ComparisonStatus } from './comparisonStatus.js';
import type { ComparisonStore } from './comparisonStore.js';
import type { DroppedText } from '../../reports/comparisonPage.js';
import { showError } from '../errors.js';
import { COMMAND, COMPARISON_VIEW_TYPE } from '../identifiers.js';
import type { GpuAccess } from '../gpu/gpuAccess.js';
import type { ModelSnapshot } from '../modelSnapshot.js';
import type { PerplexityMeter } from './perplexityMeter.js';
import type { SafetensorsEditorProvider } from '../editor/safetensorsEditorProvider.js';
import type { SharedPool } from '../sharedPool.js';

/** The Format Comparison panels: one for each selection of tensors of each model. */
export class ComparisonPanels implements ComparisonPanelHost, vscode.WebviewPanelSerializer {
  private readonly panels = new Map<string, ComparisonPanel>();
  private lastActive: ComparisonPanel | undefined;
  private readonly status = new ComparisonStatus();

  constructor(
    readonly extensionUri: vscode.Uri,
    readonly assets: Assets,
    readonly pool: SharedPool,
    readonly meter: PerplexityMeter,
    readonly gpu: GpuAccess,
    private readonly store: ComparisonStore,
    private readonly editors: SafetensorsEditorProvider,
  ) {}

  register(): vscode.Disposable {
    return vscode.Disposable.from(
      vscode.window.registerWebviewPanelSerializer(COMPARISON_VIEW_TYPE, this),
      this.status,
    );
  }

  /**
   * Shows the panel of a request and runs it there.
   * @param opened the request's model, opened to ask for the rest of the request
   * @throws what the job throws, an AbortError when it was cancelled or its panel closed
   */
  compare(request: ComparisonRequest, opened: ModelSnapshot): Promise<ComparisonReport> {
    const open = this.panels.get(computeComparisonId(request));
    // What has been compared in the same way need not be compared again.
    const result = open && sameMeasurement(open.run.request, request) ? open.run.result : undefined;
    const run = new ComparisonRun(request, this, result, 'running');
    if (open) {
      open.run = run;
      open.reveal();
      return this.start(open, opened);
    }
    const panel = vscode.window.createWebviewPanel(
      COMPARISON_VIEW_TYPE,
      vscode.l10n.t('Format Comparison'),
      vscode.ViewColumn.Active,
      { enableFindWidget: true },
    );
    return this.start(this.add(panel, run), opened);
  }

  /**
   * The request with what a panel compares already, where it is open: that is not lost to new formats.
   * @param id of the panel; absent: the request's own
   */
  withShown(request: ComparisonRequest, id = computeComparisonId(request)): ComparisonRequest {
    const shown = this.panels.get(id)?.run.request;
    if (!shown || shown.scaleDtype !== request.scaleDtype) return request;
    return {
      ...request,
      against: shown.against,
      formats: [...new Set([...shown.formats, ...request.formats])],
      calibration: request.calibration ?? shown.calibration,
      perplexity: request.perplexity ?? shown.perplexity,
    };
  }

  /** Shows other formats, or the same in another order, of what the panel has. */
  arrange(panel: ComparisonPanel, formats: readonly string[]): void {
    const { request, result } = panel.run;
    const report = result.report && arrangeFormats(result.report, formats);
    panel.run = new ComparisonRun({ ...request, formats }, this, { ...result, report });
    this.store.save(panel.id, { request: panel.run.request, ...panel.run.result });
  }

  /** Starts the panel's run, on its model where that is open already, and keeps its outcome. */
  async start(panel: ComparisonPanel, opened?: ModelSnapshot): Promise<ComparisonReport> {
    const { run } = panel;
    const ended = run.start(opened);
    this.store.save(panel.id, { request: run.request, ...run.result });
    try {
      return await ended;
    } finally {
      // Its panel may have been closed, and its file removed, while it ran; or it shows another run.
      if (this.panels.get(panel.id) === panel && panel.run === run) {
        this.store.save(panel.id, { request: run.request, ...run.result });
      }
    }
  }

  stateChanged({ run, inSight }: ComparisonPanel): void {
    this.status.show(run, inSight);
  }

  readGpuProgram(): Promise<string> {
    return this.gpu.readPageProgram();
  }

  revealTensor(model: vscode.Uri, tensor: string): Promise<void> {
    return this.editors.revealTensor(model, tensor);
  }

  addFormats({ run, id }: ComparisonPanel): void {
    const { resource, tensors, scope } = run.request;
    const ofTensors = tensors && { tensors, label: scope };
    const target = { resource: vscode.Uri.parse(resource, true), ...ofTensors, comparison: id };
    // Not awaited: the page's part ends when the question is put.
    void vscode.commands.executeCommand(COMMAND.quantizeLayer, target);
  }

  measurePerplexity({ id }: ComparisonPanel, text: DroppedText | undefined): void {
    // Not awaited: the page's part ends when the question is put.
    void vscode.commands.executeCommand(COMMAND.measurePerplexity, { comparison: id, text });
  }

  /** The panel with this id, if it is open. */
  byId(id: unknown): ComparisonPanel | undefined {
    return typeof id === 'string' ? this.panels.get(id) : undefined;
  }

  /** The panel in use: the active one, or else the last that was. */
  active(): ComparisonPanel | undefined {
    const active = [...this.panels.values()].find(({ panel }) => panel.active);
    return active ?? this.lastActive;
  }

  /** Says what went wrong with a request, unless its panel is in sight: that says it itself. */
  tell(error: unknown, request: ComparisonRequest | undefined): void {
    const panel = request && this.panels.get(computeComparisonId(request));
    if (!panel?.inSight) showError(error);
  }

  /** Shows the panel with this id, if it is open. */
  reveal(id: unknown): void {
    this.byId(id)?.reveal();
  }

  async deserializeWebviewPanel(panel: vscode.WebviewPanel, state: unknown): Promise<void> {
    const id = (state as { id?: unknown } | undefined)?.id;
    const stored = await this.store.load(id);
    if (!stored) {
      // Nothing says what it compared: an empty panel would only be in the way.
      panel.dispose();
      return;
    }
    this.add(panel, new ComparisonRun(stored.request, this, stored));
  }

  private add(webviewPanel: vscode.WebviewPanel, run: ComparisonRun): ComparisonPanel {
    const panel = new ComparisonPanel(webviewPanel, run, this);
    this.panels.set(panel.id, panel);
    this.gpu.pages.add(panel);
    this.lastActive = panel;
    webviewPanel.onDidChangeViewState(() => {
      if (webviewPanel.active) this.lastActive = panel;
    });
    webviewPanel.onDidDispose(() => {
      this.panels.delete(panel.id);
      this.gpu.pages.remove(panel);
      if (this.lastActive === panel) this.lastActive = undefined;
      this.status.remove(panel.id);
      this.store.remove(panel.id);
    });
    return panel;
  }
}

/** True where formats come to the same numbers in both. */
function sameMeasurement(one: ComparisonRequest, other: ComparisonRequest): boolean {
  return (
    one.scaleDtype === other.scaleDtype &&
    JSON.stringify(one.calibration ?? {}) === JSON.stringify(other.calibration ?? {})
  );
}
