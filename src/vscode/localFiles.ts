import * as vscode from 'vscode';

/**
 * A path that names another machine or a device on Windows, where asking for it tells that machine
 * who the user is: `\\server\share`, `//server/share`, `\\?\UNC\…`, `\\.\pipe\…`.
 */
function leavesMachine(path: string): boolean {
  return /^[\\/]{2}/.test(path);
}

/** Whether a URI means a file of the machine that the extension runs on, and nothing elsewhere. */
export function isLocalFile(uri: vscode.Uri): boolean {
  // Both, since a path of mixed slashes becomes another one on its way to the file system.
  const { scheme, authority, path, fsPath } = uri;
  return scheme === 'file' && authority === '' && !leavesMachine(path) && !leavesMachine(fsPath);
}

/**
 * The file of this machine that a page names by a URI: "file", or, in a remote window, "vscode-remote"
 * with the window's own remote. Nothing is looked at.
 * @throws Error of one line where it is anything else
 */
export function readPageFile(text: string, webview: vscode.Webview): vscode.Uri {
  const named = parse(text);
  if (named) {
    const isOwnRemote = named.scheme === 'vscode-remote' && isOfWindow(named, webview);
    const file = isOwnRemote ? vscode.Uri.from({ scheme: 'file', path: named.path }) : named;
    if (isLocalFile(file)) return file;
  }
  throw new Error(
    vscode.l10n.t(
      'Only a file of this window’s own machine can be dropped; choose others instead.',
    ),
  );
}

function parse(text: string): vscode.Uri | undefined {
  try {
    return vscode.Uri.parse(text, true);
  } catch {
    return undefined;
  }
}

/** Whether a URI is of the remote machine that the window is on: VS Code tells only what it makes of both. */
function isOfWindow(remote: vscode.Uri, webview: vscode.Webview): boolean {
  const [one, other] = [remote, vscode.Uri.file('/')].map((uri) => webview.asWebviewUri(uri));
  return one.authority === other.authority;
}
