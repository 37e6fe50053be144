import * as assert from 'node:assert/strict';
import * as vscode from 'vscode';
import { EXTENSION_ID } from './support.js';

suite('Extension', () => {
  test('is installed and activates', async () => {
    const extension = vscode.extensions.getExtension(EXTENSION_ID);
    assert.ok(extension, `${EXTENSION_ID} is not there`);
    await extension.activate();
    assert.equal(extension.isActive, true);
  });

  test('registers every command that its manifest declares', async () => {
    const extension = vscode.extensions.getExtension(EXTENSION_ID);
    const { commands: declared } = extension?.packageJSON.contributes as {
      commands: { command: string }[];
    };
    const registered = new Set(await vscode.commands.getCommands(true));
    const names = declared.map(({ command }) => command);
    assert.ok(names.includes('quantscope.quantizeLayer'));
    assert.ok(names.includes('quantscope.compareFormats'));
    assert.deepEqual(
      names.filter((name) => !registered.has(name)),
      [],
    );
  });
});
