import { createHash } from 'node:crypto';
import * as vscode from 'vscode';
import type { DroppedText } from '../../reports/comparisonPage.js';
import { MAX_DROPPED_CHARACTERS } from '../../reports/pageLimits.js';
import { visible } from '../../storage/errors.js';
import { isLocalFile } from '../localFiles.js';
import { makeSafeFileName } from '../safeFileName.js';

/** Texts that were dropped without a path; the oldest go when there are more. */
const MAX_KEPT = 8;

/** Dropped texts as files, so that a measurement can be resumed, and repeated after a reload. */
export class KeptTexts {
  private readonly folder: vscode.Uri;

  constructor(storage: vscode.Uri) {
    this.folder = vscode.Uri.joinPath(storage, 'texts');
  }

  /**
   * The file of a dropped text: of this machine, or kept here.
   * @throws Error where it cannot be read, is too long, or is not a file
   */
  async fileOf(text: DroppedText): Promise<string> {
    if ('content' in text) {
      if (text.content.length > MAX_DROPPED_CHARACTERS) throw tooLong(visible(text.name));
      return this.keep(text.name, new TextEncoder().encode(text.content));
    }
    const uri = vscode.Uri.parse(text.uri, true);
    const name = visible(uri.path.slice(uri.path.lastIndexOf('/') + 1));
    // Before anything is asked of the file system.
    const type = isLocalFile(uri) ? (await vscode.workspace.fs.stat(uri)).type : 0;
    if (!(type & vscode.FileType.File)) {
      throw new Error(vscode.l10n.t('{0} is not a text file of this machine.', name));
    }
    return uri.fsPath;
  }

  private async keep(name: string, bytes: Uint8Array): Promise<string> {
    const hash = createHash('sha256').update(bytes).digest('hex').slice(0, 16);
    const folder = vscode.Uri.joinPath(this.folder, hash);
    const file = vscode.Uri.joinPath(folder, makeSafeFileName(...splitExtension(name)));
    await vscode.workspace.fs.createDirectory(folder);
    await vscode.workspace.fs.writeFile(file, bytes);
    await this.removeOld();
    return file.fsPath;
  }

  private async removeOld(): Promise<void> {
    const entries = await vscode.workspace.fs.readDirectory(this.folder);
    const folders = await Promise.all(
      entries.map(async ([name]) => {
        const uri = vscode.Uri.joinPath(this.folder, name);
        return { uri, time: (await vscode.workspace.fs.stat(uri)).mtime };
      }),
    );
    folders.sort((one, other) => other.time - one.time);
    for (const { uri } of folders.slice(MAX_KEPT)) {
      await vscode.workspace.fs.delete(uri, { recursive: true });
    }
  }
}

/** "notes" and ".md"; what comes after a last dot is an extension only where it is short and plain. */
function splitExtension(name: string): [stem: string, extension: string] {
  const extension = /\.[A-Za-z0-9]{1,10}$/.exec(name.slice(-11))?.[0] ?? '.txt';
  return [name.endsWith(extension) ? name.slice(0, -extension.length) : name, extension];
}

function tooLong(name: string): Error {
  const most = MAX_DROPPED_CHARACTERS / 1024 ** 2;
  return new Error(
    vscode.l10n.t('{0} is longer than {1} MB; choose it as a file instead.', name, most),
  );
}
