import * as vscode from 'vscode';
import { decodeNumbers, encodeNumbers } from '../../rpc/wireNumbers.js';
import { WHOLE_FILES } from '../../storage/wholeFiles.js';
import { readWorkspaceFile } from '../virtualFileSystem.js';
import type { ComparisonRequest } from './comparisonRequest.js';
import type { ComparisonResult } from './comparisonRun.js';

/** What is kept of a comparison: its request, and its report once there is one. */
export interface StoredComparison extends ComparisonResult {
  readonly request: ComparisonRequest;
}

/** Panels closed while the extension was not running leave their file; it goes after this long. */
const MAX_AGE_MILLISECONDS = 30 * 24 * 3600 * 1000;
const ID = /^[0-9a-f]{32}$/;

/** Keeps comparisons on disk, so that their panels survive a reload of the window. */
export class ComparisonStore {
  private readonly folder: vscode.Uri;
  private queue: Promise<void> = Promise.resolve();

  constructor({ storageUri, globalStorageUri }: vscode.ExtensionContext) {
    this.folder = vscode.Uri.joinPath(storageUri ?? globalStorageUri, 'comparisons');
  }

  /** Keeps a comparison. Where that fails, the panel merely does not survive a reload. */
  save(id: string, comparison: StoredComparison): void {
    this.enqueue(async () => {
      const text = JSON.stringify(encodeNumbers(comparison));
      await vscode.workspace.fs.createDirectory(this.folder);
      await vscode.workspace.fs.writeFile(this.file(id), new TextEncoder().encode(text));
      await this.removeOld();
    });
  }

  remove(id: string): void {
    this.enqueue(() => vscode.workspace.fs.delete(this.file(id)));
  }

  /** The stored comparison; undefined where there is none that can be read. */
  async load(id: unknown): Promise<StoredComparison | undefined> {
    if (typeof id !== 'string' || !ID.test(id)) return undefined;
    try {
      const bytes = await readWorkspaceFile(this.file(id), id, WHOLE_FILES.comparison);
      return decodeNumbers(JSON.parse(new TextDecoder().decode(bytes))) as StoredComparison;
    } catch {
      return undefined;
    }
  }

  /** One write after the other, so that the last word on a file is the last one said. */
  private enqueue(write: () => PromiseLike<void>): void {
    this.queue = this.queue.then(write).catch(() => undefined);
  }

  private file(id: string): vscode.Uri {
    return vscode.Uri.joinPath(this.folder, `${id}.json`);
  }

  private async removeOld(): Promise<void> {
    const entries = await vscode.workspace.fs.readDirectory(this.folder);
    for (const [name] of entries) {
      const file = vscode.Uri.joinPath(this.folder, name);
      const { mtime } = await vscode.workspace.fs.stat(file);
      if (Date.now() - mtime > MAX_AGE_MILLISECONDS) await vscode.workspace.fs.delete(file);
    }
  }
}
