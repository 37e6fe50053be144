import * as vscode from 'vscode';
import type { EditorHostApi, EditorPageApi, EditorState } from '../../reports/editorPage.js';
import { makeModelTitle } from '../../reports/modelTitle.js';
import { editorArguments } from '../../reports/pageArguments.js';
import type { CallContext, CallOptions, Handlers } from '../../rpc/rpc.js';
import type { ChoiceMemory } from '../picks/choiceMemory.js';
import { COMMAND } from '../identifiers.js';
import type { OpenedModel } from '../../checkpoint/types.js';
import { describeModelInSteps } from '../../jobs/inspection/describeModel.js';
import { runInSlices } from '../../storage/slices.js';
import type { SafetensorsDocument } from './safetensorsDocument.js';
import { proposeFile, saveFile } from '../saveFile.js';
import { isGroupSize } from '../settings.js';
import { WebviewConnection } from '../webviewConnection.js';

function callOptions({ signal, progress }: CallContext): CallOptions {
  return { signal, onProgress: progress };
}

/** The URI of a file of a model by its path. */
function uriOf({ fileSystem }: OpenedModel, path: string): vscode.Uri {
  return fileSystem.isLocal ? vscode.Uri.file(path) : vscode.Uri.parse(path, true);
}

/** One editor panel on a document: answers its page. */
export class EditorSession {
  private readonly connection: WebviewConnection<EditorPageApi>;
  private pageReady = false;
  private pendingReveal: string | undefined;
  private pendingCheck = false;

  constructor(
    readonly document: SafetensorsDocument,
    readonly panel: vscode.WebviewPanel,
    private readonly memory: ChoiceMemory,
    private readonly openModel: (uri: vscode.Uri) => Promise<void>,
  ) {
    this.connection = WebviewConnection.connect<EditorHostApi, EditorPageApi>(
      panel,
      this.handlers(),
      editorArguments,
    );
    const subscriptions = [
      document.onDidChangeFile(() => {
        if (this.pageReady) this.tellPage((page) => page.fileChanged(null));
      }),
      panel.onDidChangeViewState(() => {
        this.pageReady &&= panel.visible;
      }),
    ];
    panel.onDidDispose(() => subscriptions.forEach((subscription) => subscription.dispose()));
  }

  /** Selects a tensor in the page, as soon as there is one. */
  revealTensor(tensor: string): void {
    this.pendingReveal = tensor;
    if (this.pageReady) this.deliverPending();
  }

  /** Has the page check the model, as soon as there is one. */
  checkIntegrity(): void {
    this.pendingCheck = true;
    if (this.pageReady) this.deliverPending();
  }

  private deliverPending(): void {
    const tensor = this.pendingReveal;
    this.pendingReveal = undefined;
    if (tensor !== undefined) this.tellPage((page) => page.revealTensor({ tensor }));
    const check = this.pendingCheck;
    this.pendingCheck = false;
    if (check) this.tellPage((page) => page.checkIntegrity(null));
  }

  private tellPage(
    call: (page: WebviewConnection<EditorPageApi>['remote']) => Promise<void>,
  ): void {
    // A page that is gone by now needs no telling.
    call(this.connection.remote).catch(() => undefined);
  }

  private async state(model: OpenedModel, options: CallOptions): Promise<EditorState> {
    const checkpoint = await runInSlices(describeModelInSteps(model), options);
    const { groupSize } = this.memory;
    return { checkpoint, groupSize, isChecked: this.document.integrity.isKnown };
  }

  /** The files that were read, which nothing saved may replace. */
  private async inputs(): Promise<vscode.Uri[]> {
    const model = await this.document.load();
    return [...model.inputs.keys()].map((path) => uriOf(model, path));
  }

  private handlers(): Handlers<EditorHostApi> {
    const { document, memory } = this;
    return {
      open: async (_, context) => {
        this.pageReady = true;
        const options = callOptions(context);
        // A page that was hidden has not been told of changes.
        const { model } = await document.current(options);
        const state = await this.state(model, options);
        // After the answer, so that the page knows the tensor that it is to select, and the model.
        setTimeout(() => this.deliverPending());
        return state;
      },
      reload: async (_, context) => {
        const options = callOptions(context);
        return this.state(await document.reload(options), options);
      },
      tensorDetails: (request, context) => document.tensorDetails(request, callOptions(context)),
      groupRanges: (request, context) => document.groupRanges(request, callOptions(context)),
      quantizeLayer: async ({ tensors, label }) => {
        // Not awaited: the page's part ends when the question is put.
        void vscode.commands.executeCommand(COMMAND.quantizeLayer, {
          resource: document.uri,
          tensors,
          label,
        });
      },
      copyText: async ({ text }) => vscode.env.clipboard.writeText(text),
      openWholeModel: async (_, context) => {
        const { model } = await document.current(callOptions(context));
        if (model.wholeModel !== undefined) await this.openModel(uriOf(model, model.wholeModel));
      },
      setGroupSize: async ({ groupSize }) => {
        if (isGroupSize(groupSize)) await memory.rememberGroupSize(groupSize);
      },
      // Without the call's signal: it is aborted, too, when VS Code discards a hidden page.
      checkIntegrity: (_, { progress }) => document.integrity.report(progress),
      cancelCheck: async () => document.integrity.cancel(),
      copyFindings: async () => {
        await vscode.env.clipboard.writeText(document.integrity.csv());
        vscode.window.setStatusBarMessage(vscode.l10n.t('Findings copied as CSV'), 3000);
      },
      saveFindings: async () => {
        const json = new TextEncoder().encode(document.integrity.json());
        const stem = `${makeModelTitle(document.uri.path)}-findings`;
        const proposed = proposeFile(document.uri, stem, '.json');
        const others = await this.inputs();
        await saveFile(proposed, { JSON: ['json'] }, json, { model: document.uri, others });
      },
    };
  }
}
