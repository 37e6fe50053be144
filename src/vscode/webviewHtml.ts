import { randomBytes } from 'node:crypto';
import * as vscode from 'vscode';
import { makeContentPolicy } from './contentPolicy.js';

/** The pages that dist/webview holds, and their titles for screen readers. */
export type PageName = 'editor' | 'comparison';

/** Folder of everything a page may load. */
function pageFolder(extensionUri: vscode.Uri): vscode.Uri {
  return vscode.Uri.joinPath(extensionUri, 'dist', 'webview');
}

/** What a page may do: run scripts, and load from its own folder only. */
export function makeWebviewOptions(extensionUri: vscode.Uri): vscode.WebviewOptions {
  return {
    enableScripts: true,
    // By default on where scripts are.
    enableForms: false,
    enableCommandUris: false,
    localResourceRoots: [pageFolder(extensionUri)],
  };
}

/** The shell of a page. Nothing is inline but the policy; the page's own script fills `#app`. */
export function renderWebviewHtml(
  webview: vscode.Webview,
  extensionUri: vscode.Uri,
  page: PageName,
): string {
  const nonce = randomBytes(16).toString('base64url');
  const resource = (name: string) =>
    webview.asWebviewUri(vscode.Uri.joinPath(pageFolder(extensionUri), name)).toString();
  const policy = makeContentPolicy(webview.cspSource, nonce, {
    // The GPU is in a worker.
    startsWorkers: page === 'comparison',
  });
  // plotly.js writes its rules into <head> unless an element of this id is there first.
  return `<!DOCTYPE html>
<html lang="${vscode.env.language}">
<head>
<meta charset="UTF-8">
<meta http-equiv="Content-Security-Policy" content="${policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<link id="plotly.js-style-global" class="no-inline-styles" rel="stylesheet" href="${resource('plotly.css')}">
<link rel="stylesheet" href="${resource(`${page}.css`)}">
<title>Quantscope</title>
</head>
<body>
<div id="app"></div>
<script nonce="${nonce}" src="${resource(`${page}.js`)}"></script>
</body>
</html>`;
}
