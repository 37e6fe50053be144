import * as vscode from 'vscode';
import { makeSafeFileName } from './safeFileName.js';

/** Folder that save dialogs start in: the first workspace folder, else that of the model. */
function startFolder(model: vscode.Uri): vscode.Uri {
  const workspace = vscode.workspace.workspaceFolders?.[0]?.uri;
  return workspace ?? vscode.Uri.joinPath(model, '..');
}

/** A file beside others of the user's, for a save dialog to propose. */
export function proposeFile(model: vscode.Uri, stem: string, extension: string): vscode.Uri {
  return vscode.Uri.joinPath(startFolder(model), makeSafeFileName(stem, extension));
}

/** Asks where to save, and saves. Does nothing when the user leaves the dialog. */
export async function saveFile(
  proposed: vscode.Uri,
  filters: Record<string, string[]>,
  content: Uint8Array,
): Promise<void> {
  const target = await vscode.window.showSaveDialog({ defaultUri: proposed, filters });
  if (target) await vscode.workspace.fs.writeFile(target, content);
}
