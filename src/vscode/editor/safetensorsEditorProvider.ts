import * as vscode from 'vscode';
import type { ChoiceMemory } from '../picks/choiceMemory.js';
import { EditorSession } from './editorSession.js';
import { EDITOR_VIEW_TYPE, INDEX_VIEW_TYPE } from '../identifiers.js';
import { ModelSnapshot } from '../modelSnapshot.js';
import { SafetensorsDocument } from './safetensorsDocument.js';
import type { SharedPool } from '../sharedPool.js';
import { renderWebviewHtml, makeWebviewOptions } from '../webviewHtml.js';

/** Opens models as read-only editors, and knows which are open. */
export class SafetensorsEditorProvider implements vscode.CustomReadonlyEditorProvider<SafetensorsDocument> {
  private readonly sessions = new Set<EditorSession>();
  private lastActive: EditorSession | undefined;
  private readonly reveals = new Map<string, string>();
  /** Models to be checked as soon as they are shown. */
  private readonly checks = new Set<string>();

  constructor(
    private readonly extensionUri: vscode.Uri,
    private readonly pool: SharedPool,
    private readonly memory: ChoiceMemory,
  ) {}

  /** Makes this the editor of its view types. */
  register(): vscode.Disposable {
    const viewTypes = [EDITOR_VIEW_TYPE, INDEX_VIEW_TYPE];
    return vscode.Disposable.from(
      ...viewTypes.map((viewType) =>
        vscode.window.registerCustomEditorProvider(viewType, this, {
          supportsMultipleEditorsPerDocument: true,
        }),
      ),
    );
  }

  openCustomDocument(uri: vscode.Uri): SafetensorsDocument {
    // Reading begins when the page asks, so that a broken file is explained in its place.
    return new SafetensorsDocument(uri, this.pool);
  }

  resolveCustomEditor(document: SafetensorsDocument, panel: vscode.WebviewPanel): void {
    const session = new EditorSession(document, panel, this.memory, (uri) => this.open(uri));
    this.sessions.add(session);
    if (panel.active || !this.lastActive) this.lastActive = session;
    panel.onDidChangeViewState(() => {
      if (panel.active) this.lastActive = session;
    });
    panel.onDidDispose(() => {
      this.sessions.delete(session);
      if (this.lastActive === session) this.lastActive = undefined;
    });
    const key = document.uri.toString();
    const reveal = this.reveals.get(key);
    this.reveals.delete(key);
    if (reveal !== undefined) session.revealTensor(reveal);
    if (this.checks.delete(key)) session.checkIntegrity();

    panel.webview.options = makeWebviewOptions(this.extensionUri);
    panel.webview.html = renderWebviewHtml(panel.webview, this.extensionUri, 'editor');
  }

  /** The document of the editor in use: the active one, or else the last that was. */
  activeDocument(): SafetensorsDocument | undefined {
    const active = [...this.sessions].find(({ panel }) => panel.active);
    return (active ?? this.lastActive)?.document;
  }

  /**
   * The model at a URI as its files are now: the one of the editor that shows it, where there is one.
   * @throws CheckpointError with one line that names file, place and rule
   */
  snapshot(uri: vscode.Uri): Promise<ModelSnapshot> {
    const document = this.sessionOf(uri)?.document;
    return document ? document.current() : ModelSnapshot.open(uri);
  }

  /** Shows a model. */
  async open(uri: vscode.Uri): Promise<void> {
    const viewType = /\.(json|gguf)$/.test(uri.path) ? INDEX_VIEW_TYPE : EDITOR_VIEW_TYPE;
    await vscode.commands.executeCommand('vscode.openWith', uri, viewType);
  }

  /** Shows a model with a tensor selected. */
  async revealTensor(uri: vscode.Uri, tensor: string): Promise<void> {
    const session = this.sessionOf(uri);
    if (session) {
      session.panel.reveal(session.panel.viewColumn);
      session.revealTensor(tensor);
      return;
    }
    this.reveals.set(uri.toString(), tensor);
    await this.open(uri);
  }

  /** Shows a model and checks it there. */
  async checkIntegrity(uri: vscode.Uri): Promise<void> {
    const session = this.sessionOf(uri);
    if (session) {
      session.panel.reveal(session.panel.viewColumn);
      session.checkIntegrity();
      return;
    }
    this.checks.add(uri.toString());
    await this.open(uri);
  }

  private sessionOf(uri: vscode.Uri): EditorSession | undefined {
    const key = uri.toString();
    const shown = [...this.sessions].filter(({ document }) => document.uri.toString() === key);
    return shown.find(({ panel }) => panel.active) ?? shown[0];
  }
}
