import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { KeptTexts } from '../../../src/vscode/picks/keptTexts.js';
import { isLocalFile, readPageFile } from '../../../src/vscode/localFiles.js';
import { makeWebviewOptions, renderWebviewHtml } from '../../../src/vscode/webviewHtml.js';
import { closeAllTabs, comparisonTabs, EXTENSION_ID, sampleUri } from './support.js';

/** Names of files that are elsewhere, or nowhere; several mean `\\server\share` on Windows. */
const ELSEWHERE = [
  ...['file://server/share/x.txt', 'file:////server/share/x.txt', 'file://///server/share/x.txt'],
  ...['file:///%2Fserver/share/x.txt', 'file:///%5Cserver%5Cshare%5Cx.txt', 'file:%5C%5Cserver/x'],
  ...['file:///%5C%3F%5CUNC%5Cserver%5Cshare', 'file://127.0.0.1/etc/hostname', 'file://wsl$/x'],
  ...['vscode-remote://other+machine/etc/hostname', 'vscode-remote:///etc/hostname'],
  ...['https://evil.example/x.txt', 'untitled:x.txt', 'vscode-userdata:/User/settings.json'],
  ...[
    'git:/x.txt',
    'data:text/plain,x',
    'command:workbench.action.quit',
    '',
    ' ',
    'x.txt',
    '/x.txt',
  ],
  ...[String.raw`\\server\share\x.txt`, 'file', ':', '//server/share/x.txt'],
];

suite('Pages', () => {
  let panel: vscode.WebviewPanel;

  setup(() => {
    panel = vscode.window.createWebviewPanel('quantscope.test', 'Test', vscode.ViewColumn.One);
  });

  teardown(async () => {
    panel.dispose();
    await closeAllTabs();
  });

  /** The remote machine of the window as VS Code writes it into addresses of resources. */
  function remoteAuthority(): string {
    const { authority } = panel.webview.asWebviewUri(vscode.Uri.file('/'));
    const [encoded] = authority.replace(/^vscode-remote\+/, '').split('.');
    return encoded.replace(/-([0-9a-f]{4})/g, (_, code: string) =>
      String.fromCharCode(parseInt(code, 16)),
    );
  }

  test('name files of the window’s machine', () => {
    const file = sampleUri();
    assert.equal(readPageFile(file.toString(), panel.webview).fsPath, file.fsPath);
    const remote = vscode.Uri.from({
      scheme: 'vscode-remote',
      authority: remoteAuthority(),
      path: file.path,
    });
    assert.equal(readPageFile(remote.toString(), panel.webview).toString(), file.toString());
  });

  test('name no files of other machines or kinds', () => {
    const remotes = ['.evil.example', '0', ':1'].map(
      (more) => `vscode-remote://${remoteAuthority()}${more}/etc/hostname`,
    );
    const own = `vscode-remote://${remoteAuthority()}/%5Cserver%5Cshare`;
    for (const name of [...ELSEWHERE, ...remotes, own]) {
      assert.throws(
        () => readPageFile(name, panel.webview),
        /^Error: Only a file of this window’s own machine can be dropped[^\n]*$/,
        name,
      );
    }
  });

  test('have no texts of elsewhere measured', async () => {
    const texts = new KeptTexts(vscode.Uri.file('/nowhere'));
    for (const uri of [
      'file://server/share/x.txt',
      'untitled:x.txt',
      'file:///%5Cserver%5Cx.txt',
    ]) {
      assert.equal(isLocalFile(vscode.Uri.parse(uri)), false, uri);
      await assert.rejects(texts.fileOf({ uri }), /is not a text file of this machine/);
    }
    assert.equal(await texts.fileOf({ uri: sampleUri().toString() }), sampleUri().fsPath);
  });

  test('may run their script and load their folder, and nothing else', () => {
    const { extensionUri } = vscode.extensions.getExtension(EXTENSION_ID)!;
    const options = makeWebviewOptions(extensionUri);
    assert.equal(options.enableForms, false);
    assert.equal(options.enableCommandUris, false);
    assert.deepEqual(options.localResourceRoots?.map(String), [
      vscode.Uri.joinPath(extensionUri, 'dist', 'webview').toString(),
    ]);
    const html = renderWebviewHtml(panel.webview, extensionUri, 'editor');
    const [, policy] = /http-equiv="Content-Security-Policy" content="([^"]*)"/.exec(html)!;
    const directives = policy.split('; ');
    for (const directive of [`default-src 'none'`, `form-action 'none'`, `base-uri 'none'`]) {
      assert.ok(directives.includes(directive), directive);
    }
    assert.doesNotMatch(policy, /unsafe/);
    const other = renderWebviewHtml(panel.webview, extensionUri, 'editor');
    assert.notEqual(other, html, 'a nonce is used once');
  });

  test('say of a context menu only what it was opened on', async () => {
    const resource = sampleUri().toString();
    const formats = ['int4-asym:g128'];
    const menu = { webview: 'quantscope.safetensorsEditor', layer: 'layers.0' };
    for (const more of [{ resource }, { formats }, { comparison: '0' }, { text: { uri: 'x' } }]) {
      for (const command of ['quantizeLayer', 'compareFormats', 'measurePerplexity']) {
        const argument = { ...menu, ...more };
        const report = await vscode.commands.executeCommand(`quantscope.${command}`, argument);
        assert.equal(report, undefined);
      }
    }
    assert.deepEqual(comparisonTabs(), []);
  });
});
