import * as vscode from 'vscode';
import { findModelFiles, isModelFileName } from '../checkpoint/node/modelFiles.js';
import { CheckpointError } from '../storage/errors.js';
import { writeAtomically } from '../storage/node/atomicFile.js';
import { makeSafeFileName } from './safeFileName.js';

/** Folder that save dialogs start in: the first workspace folder, else that of the model. */
function startFolder(model: vscode.Uri): vscode.Uri {
  const workspace = vscode.workspace.workspaceFolders?.[0]?.uri;
  return workspace ?? folderOf(model);
}

/** A file beside others of the user's, for a save dialog to propose. */
export function proposeFile(model: vscode.Uri, stem: string, extension: string): vscode.Uri {
  return vscode.Uri.joinPath(startFolder(model), makeSafeFileName(stem, extension));
}

/** What a saved file is about, and must not replace. */
export interface SavedFrom {
  readonly model: vscode.Uri;
  /** Other files that were read. */
  readonly others: readonly vscode.Uri[];
}

/**
 * Asks where to save, and saves. Does nothing when the user leaves the dialog.
 * @throws CheckpointError WouldOverwriteInput where the target is a file of the model or another input
 */
export async function saveFile(
  proposed: vscode.Uri,
  filters: Record<string, string[]>,
  content: Uint8Array,
  from: SavedFrom,
): Promise<void> {
  const target = await vscode.window.showSaveDialog({ defaultUri: proposed, filters });
  if (!target) return;
  if (target.scheme === 'file') {
    const inputs = await localInputs(from);
    return writeAtomically(target.fsPath, { inputs }, (append) => append(content));
  }
  refuseRemoteInput(target, from);
  await vscode.workspace.fs.writeFile(target, content);
}

async function localInputs({ model, others }: SavedFrom): Promise<string[]> {
  const read = [model, ...others].filter(({ scheme }) => scheme === 'file');
  const ofModel =
    model.scheme === 'file'
      ? // No text or picture is to take the place of any weights beside it, either.
        [...(await findModelFiles(model.fsPath)), ...(await findModelFiles(folderOf(model).fsPath))]
      : [];
  return [...read.map(({ fsPath }) => fsPath), ...ofModel];
}

/** VS Code tells nothing of links in other file systems; names have to do. */
function refuseRemoteInput(target: vscode.Uri, { model, others }: SavedFrom): void {
  const known = (uri: vscode.Uri) => uri.toString().toLowerCase();
  const name = target.path.slice(target.path.lastIndexOf('/') + 1);
  const isBeside = known(folderOf(target)) === known(folderOf(model));
  const isInput = [model, ...others].some((input) => known(input) === known(target));
  if (!isInput && !(isBeside && isModelFileName(name))) return;
  const detail = vscode.l10n.t(
    'this is an input or has the name of a file of the model; choose another name for the output',
  );
  throw new CheckpointError(name, '', 'WouldOverwriteInput', detail);
}

function folderOf(uri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(uri, '..');
}
