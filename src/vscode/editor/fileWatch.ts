import * as vscode from 'vscode';

/** Writers touch a large file many times; only the last change counts. */
const SETTLE_MILLISECONDS = 400;

/**
 * Reports, once things have settled, that one of some files changed, appeared or went away.
 * @param uri the file that was opened; its folder is watched
 * @param isOurs whether a file of that folder matters
 */
export function watchFiles(
  uri: vscode.Uri,
  isOurs: (name: string) => boolean,
  changed: () => void,
): vscode.Disposable {
  // The whole folder, since a file name may hold characters that patterns treat specially.
  const pattern = new vscode.RelativePattern(vscode.Uri.joinPath(uri, '..'), '*');
  const watcher = vscode.workspace.createFileSystemWatcher(pattern);
  let timer: NodeJS.Timeout | undefined;
  const onChange = (file: vscode.Uri) => {
    if (!isOurs(file.path.slice(file.path.lastIndexOf('/') + 1))) return;
    clearTimeout(timer);
    timer = setTimeout(changed, SETTLE_MILLISECONDS);
  };
  watcher.onDidChange(onChange);
  watcher.onDidCreate(onChange);
  watcher.onDidDelete(onChange);
  return new vscode.Disposable(() => {
    clearTimeout(timer);
    watcher.dispose();
  });
}
