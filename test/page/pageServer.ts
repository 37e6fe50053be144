import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { makeContentPolicy } from '../../src/vscode/contentPolicy.js';
import { bundlePages } from './bundlePages.js';
import { fakeVsCode } from './fakeVsCode.js';

export type PageName = 'editor' | 'comparison';

export interface PageServer {
  url(page: PageName): string;
  close(): Promise<void>;
}

const NONCE = 'dGVzdC1ub25jZQ';

function shell(page: PageName): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <link id="plotly.js-style-global" class="no-inline-styles" rel="stylesheet" href="plotly.css" />
    <link rel="stylesheet" href="vscode-default.css" />
    <link rel="stylesheet" href="${page}.css" />
  </head>
  <body>
    <div id="app"></div>
    <script nonce="${NONCE}" src="fake-vscode.js"></script>
    <script nonce="${NONCE}" src="${page}.js"></script>
  </body>
</html>`;
}

/** What a webview's document starts with. */
const DEFAULT_STYLES = `@layer vscode-default {
  html { scrollbar-color: var(--vscode-scrollbarSlider-background) var(--vscode-editor-background); }
  body {
    margin: 0; padding: 0 20px; background-color: transparent; overscroll-behavior-x: none;
    color: var(--vscode-editor-foreground); font-family: var(--vscode-font-family);
    font-weight: var(--vscode-font-weight); font-size: var(--vscode-font-size);
  }
  a:focus, input:focus, select:focus, textarea:focus {
    outline: 1px solid -webkit-focus-ring-color; outline-offset: -1px;
  }
}`;

/** Serves the bundled pages as a webview shows them, under the same content security policy. */
export async function servePages(): Promise<PageServer> {
  const files = new Map<string, Uint8Array | string>([
    ...(await bundlePages()),
    ['editor.html', shell('editor')],
    ['comparison.html', shell('comparison')],
    ['vscode-default.css', DEFAULT_STYLES],
    ['fake-vscode.js', `(${fakeVsCode.toString()})();`],
  ]);
  const types: Record<string, string> = {
    html: 'text/html; charset=utf-8',
    css: 'text/css; charset=utf-8',
    js: 'text/javascript; charset=utf-8',
  };
  const server = createServer((request, response) => {
    const name = (request.url ?? '/').slice(1);
    const body = files.get(name);
    if (body === undefined) {
      response.writeHead(404).end();
      return;
    }
    response.setHeader('Content-Type', types[name.slice(name.lastIndexOf('.') + 1)]);
    const policy = makeContentPolicy(`http://${request.headers.host}`, NONCE, {
      startsWorkers: name.startsWith('comparison.'),
    });
    response.setHeader('Content-Security-Policy', policy);
    response.end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: (page) => `http://127.0.0.1:${port}/${page}.html`,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
