import * as vscode from 'vscode';
import type { Assets } from '../../host/host.js';
import { readReportProgram } from '../../jobs/node/writeHtmlReport.js';
import { renderHtmlReport } from '../../reports/htmlReport.js';
import { formatComparisonCsv, formatReportJson } from '../../reports/present.js';
import type { ComparisonReport } from '../../reports/reports.js';
import type {
  BosChoice,
  ComparisonHostApi,
  ComparisonPageApi,
  ComparisonState,
  DroppedText,
} from '../../reports/comparisonPage.js';
import { comparisonArguments } from '../../reports/pageArguments.js';
import type { Handlers } from '../../rpc/rpc.js';
import { computeComparisonId, nameBosChoice } from './comparisonRequest.js';
import type { ComparisonRun } from './comparisonRun.js';
import { showError } from '../errors.js';
import { GpuOfPage } from '../gpu/gpuOfPage.js';
import type { GpuPage } from '../gpu/pageGpu.js';
import { readPageFile } from '../localFiles.js';
import { proposeFile, saveFile, type SavedFrom } from '../saveFile.js';
import { WebviewConnection } from '../webviewConnection.js';
import { renderWebviewHtml, makeWebviewOptions } from '../webviewHtml.js';

/** What a panel asks of those who made it. */
export interface ComparisonPanelHost {
  readonly extensionUri: vscode.Uri;
  readonly assets: Assets;
  /** Reads the program of the worker in which a page has the GPU. */
  readGpuProgram(): Promise<string>;
  /** Starts the panel's run, and keeps its outcome. */
  start(panel: ComparisonPanel): Promise<ComparisonReport>;
  revealTensor(model: vscode.Uri, tensor: string): Promise<void>;
  /** Asks for more formats, and compares in these, too. */
  addFormats(panel: ComparisonPanel): void;
  /** Shows these formats, in this order. @param formats some of those that are compared */
  arrange(panel: ComparisonPanel, formats: readonly string[]): void;
  /** Starts "Measure Perplexity…" with the panel's formats. */
  measurePerplexity(panel: ComparisonPanel, text: DroppedText | undefined): void;
  /** The panel was shown or hidden, or its run came further. */
  stateChanged(panel: ComparisonPanel): void;
}

/** A Format Comparison panel: shows one run, and answers its page. */
export class ComparisonPanel implements GpuPage {
  private readonly connection: WebviewConnection<ComparisonPageApi>;
  private readonly subscriptions: vscode.Disposable[];
  private runSubscription: vscode.Disposable | undefined;
  private shown: ComparisonRun;
  private hidden = false;
  private chosenBos: BosChoice | undefined;

  /** The same for the same tensors of the same model. */
  readonly id: string;
  /** The GPU, as far as the page has one. */
  readonly gpu: GpuOfPage;

  constructor(
    readonly panel: vscode.WebviewPanel,
    run: ComparisonRun,
    private readonly host: ComparisonPanelHost,
  ) {
    this.gpu = new GpuOfPage(
      () => this.connection.remote,
      () => host.readGpuProgram(),
    );
    this.connection = WebviewConnection.connect<ComparisonHostApi, ComparisonPageApi>(
      panel,
      this.handlers(),
      comparisonArguments,
      (reason) => this.gpu.pageEnded(reason),
    );
    this.id = computeComparisonId(run.request);
    this.shown = run;
    this.run = run;
    panel.iconPath = {
      light: vscode.Uri.joinPath(host.extensionUri, 'media', 'icons', 'comparison-light.svg'),
      dark: vscode.Uri.joinPath(host.extensionUri, 'media', 'icons', 'comparison-dark.svg'),
    };
    panel.webview.options = makeWebviewOptions(host.extensionUri);
    panel.webview.html = renderWebviewHtml(panel.webview, host.extensionUri, 'comparison');
    this.subscriptions = [
      panel.onDidChangeViewState(() => {
        this.hidden = !panel.visible;
        host.stateChanged(this);
      }),
      panel.onDidDispose(() => this.dispose()),
    ];
  }

  /** The run that is shown; setting it ends the one before. */
  get run(): ComparisonRun {
    return this.shown;
  }

  set run(run: ComparisonRun) {
    this.runSubscription?.dispose();
    if (this.shown !== run) this.shown.dispose();
    this.shown = run;
    this.chosenBos = undefined;
    const show = () => {
      // A hidden page asks for the state when it is shown again.
      if (this.panel.visible) this.connection.remote.update(this.state).catch(() => undefined);
      this.host.stateChanged(this);
    };
    this.runSubscription = run.onDidChange(show);
    const { tensors, scope, modelName, formats, against } = run.request;
    this.panel.title = against
      ? vscode.l10n.t('Comparison: {0} ↔ {1}', modelName, against.name)
      : formats.length === 0
        ? vscode.l10n.t('Perplexity: {0}', modelName)
        : vscode.l10n.t('Format Comparison: {0}', tensors ? scope : modelName);
    show();
  }

  /** How windows begin in the next measurement: as chosen in the page, else as in the run that is shown. */
  get bos(): BosChoice {
    return this.chosenBos ?? nameBosChoice(this.run.request.perplexity);
  }

  private get state(): ComparisonState {
    return { ...this.run.state, bos: this.bos };
  }

  /** True when the user looks at it, or is about to: VS Code reports what is visible with a delay. */
  get inSight(): boolean {
    return !this.hidden;
  }

  get isThere(): boolean {
    return this.panel.visible;
  }

  /** Brings the panel to the front of where it is. */
  reveal(): void {
    this.hidden = false;
    this.panel.reveal(this.panel.viewColumn);
  }

  /** Puts the comparison on the clipboard as CSV. */
  async copyCsv(): Promise<void> {
    await vscode.env.clipboard.writeText(formatComparisonCsv(this.report()));
    vscode.window.setStatusBarMessage(vscode.l10n.t('Comparison copied as CSV'), 3000);
  }

  private dispose(): void {
    this.runSubscription?.dispose();
    this.shown.dispose();
    for (const subscription of this.subscriptions) subscription.dispose();
  }

  private report(): ComparisonReport {
    const { report } = this.run.state;
    if (!report) throw new Error(vscode.l10n.t('There is no finished comparison yet.'));
    return report;
  }

  private get model(): vscode.Uri {
    return vscode.Uri.parse(this.run.request.resource, true);
  }

  private proposed(name: string, extension: string): vscode.Uri {
    const { modelName, scope } = this.run.request;
    return proposeFile(this.model, `${modelName}-${scope}-${name}`, extension);
  }

  /** What is behind the report, which files saved from it must not replace. */
  private savedFrom(): SavedFrom {
    const { request, state } = this.run;
    const texts = [request.perplexity?.textFile, state.report?.text?.source];
    const others = texts.filter((text) => text !== undefined).map((text) => vscode.Uri.file(text));
    if (request.against) others.push(vscode.Uri.parse(request.against.resource, true));
    return { model: this.model, others };
  }

  /** A dropped text, at a place that a page may name. */
  private locate(text: DroppedText): DroppedText {
    return 'uri' in text ? { uri: readPageFile(text.uri, this.panel.webview).toString() } : text;
  }

  /** Changes which formats are shown; not while they are compared, and not to none. */
  private arrange(change: (formats: readonly string[]) => readonly string[]): void {
    const { request, state } = this.run;
    const formats = change(request.formats);
    if (state.status === 'running' || formats.length === 0) return;
    this.host.arrange(this, formats);
  }

  private handlers(): Handlers<ComparisonHostApi> {
    return {
      ...this.gpu.handlers,
      open: async () => {
        this.gpu.pageIsThere();
        return this.state;
      },
      cancel: async () => this.run.cancel(),
      measurePerplexity: async ({ text }) => {
        try {
          this.host.measurePerplexity(this, text && this.locate(text));
        } catch (error) {
          // The page does not know what its part of the drop would have led to.
          showError(error);
        }
      },
      addFormats: async () => this.host.addFormats(this),
      removeFormat: async ({ format }) => {
        this.arrange((formats) => formats.filter((id) => id !== format));
      },
      moveFormat: async ({ format, to }) => {
        this.arrange((formats) => {
          if (!formats.includes(format)) return formats;
          const others = formats.filter((id) => id !== format);
          return [...others.slice(0, to), format, ...others.slice(to)];
        });
      },
      chooseBos: async ({ bos }) => {
        this.chosenBos = bos;
        this.connection.remote.update(this.state).catch(() => undefined);
      },
      runAgain: async () => {
        // The state says how it went; a click in the page has nobody else to tell.
        this.host.start(this).catch(() => undefined);
      },
      copyCsv: () => this.copyCsv(),
      saveJson: async () => {
        const json = new TextEncoder().encode(formatReportJson(this.report()));
        const proposed = this.proposed('comparison', '.json');
        await saveFile(proposed, { JSON: ['json'] }, json, this.savedFrom());
      },
      saveHtml: async () => {
        const { scope } = this.run.request;
        const program = await readReportProgram(this.host.assets);
        const html = await renderHtmlReport(this.report(), scope, program);
        const proposed = this.proposed('comparison', '.html');
        const content = new TextEncoder().encode(html);
        await saveFile(proposed, { HTML: ['html'] }, content, this.savedFrom());
      },
      copyText: async ({ text }) => vscode.env.clipboard.writeText(text),
      savePng: async ({ name, png }) => {
        const proposed = this.proposed(name, '.png');
        await saveFile(proposed, { PNG: ['png'] }, png, this.savedFrom());
      },
      revealTensor: async ({ tensor }) => {
        await this.host.revealTensor(this.model, tensor).catch(showError);
      },
    };
  }
}
