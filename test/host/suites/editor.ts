import * as assert from 'node:assert/strict';
import * as fs from 'node:fs';
import * as path from 'node:path';
import * as vscode from 'vscode';
import { closeAllTabs, customTab, EDITOR, sampleUri, scratchFolder, untilTabs } from './support.js';

suite('Safetensors editor', () => {
  let scratch: string;

  suiteSetup(() => {
    scratch = scratchFolder();
  });

  suiteTeardown(() => fs.rmSync(scratch, { recursive: true, force: true }));

  teardown(closeAllTabs);

  async function viewTypeOf(uri: vscode.Uri): Promise<string> {
    const tab = await untilTabs(() => customTab(uri));
    assert.ok(tab.input instanceof vscode.TabInputCustom);
    return tab.input.viewType;
  }

  test('is what a .safetensors file opens in', async () => {
    await vscode.commands.executeCommand('vscode.open', sampleUri());
    assert.equal(await viewTypeOf(sampleUri()), EDITOR);
  });

  test('opens when asked for by name', async () => {
    await vscode.commands.executeCommand('vscode.openWith', sampleUri(), EDITOR);
    assert.equal(await viewTypeOf(sampleUri()), EDITOR);
  });

  test('shows one file in two editors', async () => {
    await vscode.commands.executeCommand('vscode.openWith', sampleUri(), EDITOR);
    await untilTabs(() => customTab(sampleUri()));
    await vscode.commands.executeCommand('workbench.action.splitEditor');
    await untilTabs(() => (vscode.window.tabGroups.all.length === 2 ? true : undefined));
    for (const { tabs } of vscode.window.tabGroups.all) {
      assert.ok(tabs[0]?.input instanceof vscode.TabInputCustom);
    }
  });

  test('opens malformed files too, to say what is wrong', async () => {
    const malformed = {
      'empty.safetensors': Buffer.alloc(0),
      'seven-bytes.safetensors': Buffer.alloc(7),
      'not-json.safetensors': Buffer.from('\x04\0\0\0\0\0\0\0{"a"', 'latin1'),
      'long-header.safetensors': Buffer.from('\xff\xff\xff\xff\xff\xff\xff\x7f{}', 'latin1'),
    };
    for (const [name, bytes] of Object.entries(malformed)) {
      const uri = vscode.Uri.file(path.join(scratch, name));
      fs.writeFileSync(uri.fsPath, bytes);
      await vscode.commands.executeCommand('vscode.openWith', uri, EDITOR);
      assert.equal(await viewTypeOf(uri), EDITOR, name);
    }
  });
});
