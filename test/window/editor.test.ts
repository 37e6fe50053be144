import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  detailsDrawn,
  editorPage,
  layerRow,
  quantizeItem,
  tensorRow,
} from '../../scripts/lib/quantscope.mjs';
import { DOWN_PROJ, MODEL, safetensorsBytes, TestWindow } from './support.js';

const HOSTILE_NAME = '<img src=x onerror="document.title=`owned`">';

const open = TestWindow.use((folder) => {
  fs.writeFileSync(
    path.join(folder, 'hostile.safetensors'),
    safetensorsBytes({ [HOSTILE_NAME]: { dtype: 'F32', shape: [2], data_offsets: [0, 8] } }, 8),
  );
  fs.writeFileSync(
    path.join(folder, 'malformed.safetensors'),
    safetensorsBytes({ weight: { dtype: 'F32', shape: [2], data_offsets: [0, 9] } }, 9),
  );
});

describe('the editor of a safetensors file', () => {
  test('opens on a click and groups tensors by layer', async () => {
    await open.workbench.openFile(MODEL);
    const editor = await editorPage(open.workbench);
    for (const layer of ['layers.0', 'layers.1', 'layers.2', 'layers.3']) {
      await layerRow(editor, layer).waitFor();
    }
    await layerRow(editor, 'layers.0').getByText('9', { exact: true }).waitFor();
  });

  test('shows statistics and a histogram of the selected tensor', async () => {
    const editor = await editorPage(open.workbench);
    await tensorRow(editor, DOWN_PROJ).click();
    const details = editor.locator('[data-testid="details"]');
    await details.getByText('down_proj').first().waitFor();
    await details.getByText('256 × 768').first().waitFor();
    await detailsDrawn(editor);
  });

  test('looks right in three themes', async () => {
    for (const theme of ['Light Modern', 'Dark High Contrast', 'Dark Modern'] as const) {
      await open.workbench.setTheme(theme);
      await open.screenshot(`editor-${theme.toLowerCase().replaceAll(' ', '-')}`);
    }
  });

  test('filters by name', async () => {
    const editor = await editorPage(open.workbench);
    const filter = editor.locator('[data-testid="filter"]');
    const input = filter.and(editor.locator('input')).or(filter.locator('input'));
    const tensors = editor.locator('[data-testid="tensor-row"]');
    await input.fill('down_proj');
    await tensorRow(editor, 'model.layers.3.mlp.down_proj.weight').waitFor();
    expect(await tensors.count()).toBe(4);
    await input.fill('');
    await tensorRow(editor, 'model.norm.weight').waitFor();
  });

  test('offers to quantize a weight, and not a norm', async () => {
    const editor = await editorPage(open.workbench);
    await tensorRow(editor, DOWN_PROJ).click({ button: 'right' });
    const menu = open.workbench.page.locator('.context-view .monaco-menu');
    await menu.getByRole('menuitem', { name: quantizeItem }).waitFor();
    await open.workbench.page.keyboard.press('Escape');
    await menu.waitFor({ state: 'hidden' });
    // A menu without items is not shown, so there is nothing to wait for; its condition tells.
    const context = async (name: string) =>
      JSON.parse((await tensorRow(editor, name).getAttribute('data-vscode-context')) ?? '{}');
    expect(await context(DOWN_PROJ)).toMatchObject({ quantizable: true });
    expect(await context('model.layers.0.input_layernorm.weight')).not.toMatchObject({
      quantizable: true,
    });
  });

  test('says of a malformed file what is wrong, in its place', async () => {
    await open.workbench.openFile('malformed.safetensors');
    const page = await open.workbench.webview('[role="alert"]');
    const message = await page.locator('[role="alert"]').innerText();
    expect(message).toContain('malformed.safetensors');
    expect(message).toContain('weight');
    await open.workbench.closeEditor();
  });

  test('shows a tensor name as text, whatever it holds', async () => {
    await open.workbench.openFile('hostile.safetensors');
    const editor = await editorPage(open.workbench);
    await tensorRow(editor, HOSTILE_NAME).getByText(HOSTILE_NAME).waitFor();
    expect(await editor.locator('img').count()).toBe(0);
  });

  test('is served to those alone who have its whole address', async () => {
    const { address } = open.workbench.server;
    const file = `/vscode-remote-resource?path=${encodeURIComponent(`${open.folder}/config.json`)}`;
    const statuses = [new URL(address).origin, address].flatMap((base) =>
      ['/', file].map(async (target) => (await fetch(`${base}${target}`)).status),
    );
    expect(await Promise.all(statuses)).toEqual([403, 403, 200, 200]);
  });

  test('runs without a complaint of the browser', () => {
    expect(open.complaints).toEqual([]);
  });
});
