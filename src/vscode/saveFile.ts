import * as vscode from 'vscode';

const MAX_NAME_CHARACTERS = 120;

/** A name that every file system takes: format names hold colons, tensor names anything. */
export function makeSafeFileName(text: string): string {
  const safe = text.replace(/[^\p{L}\p{N}._-]+/gu, '-');
  // By hand: an expression for the end would be tried from every dash on.
  const isEdge = (at: number) => safe[at] === '-' || safe[at] === '.';
  let begin = 0;
  while (isEdge(begin)) begin++;
  let end = Math.min(safe.length, begin + MAX_NAME_CHARACTERS);
  while (end > begin && isEdge(end - 1)) end--;
  return safe.slice(begin, end);
}

/** Folder that save dialogs start in: the first workspace folder, else that of the model. */
function startFolder(model: vscode.Uri): vscode.Uri {
  const workspace = vscode.workspace.workspaceFolders?.[0]?.uri;
  return workspace ?? vscode.Uri.joinPath(model, '..');
}

/** A file beside others of the user's, for a save dialog to propose. */
export function proposeFile(model: vscode.Uri, name: string): vscode.Uri {
  return vscode.Uri.joinPath(startFolder(model), makeSafeFileName(name));
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
