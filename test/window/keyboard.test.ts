import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  editorPage,
  finishedComparison,
  layerRow,
  quantizeItem,
  readComparison,
} from '../../scripts/lib/quantscope.mjs';
import { MODEL, TestWindow } from './support.js';

const open = TestWindow.use();

/** Nothing here touches the mouse. */
describe('with the keyboard alone', () => {
  test('a backend is chosen in the settings', async () => {
    const { page } = open.workbench;
    const { keyboard } = page;
    // The setting belongs to the machine with the files, or to a folder on it.
    const title = 'Preferences: Open Workspace Settings';
    const palette = page.locator('.quick-input-widget');
    await keyboard.press('F1');
    await palette.waitFor();
    await keyboard.type(title);
    await palette.locator('.monaco-list-row.focused').getByText(title, { exact: true }).waitFor();
    await keyboard.press('Enter');
    const settings = page.locator('.settings-editor');
    await settings.locator('.search-container .monaco-editor.focused').waitFor();
    await keyboard.type('quantscope.backend');
    const box = settings.locator('[data-key="quantscope.backend"] select');
    await box.waitFor();
    const focused = settings.locator('[data-key="quantscope.backend"] select:focus');
    for (let tabs = 0; (await focused.count()) === 0; tabs++) {
      expect(tabs, 'Tab never reaches the setting').toBeLessThan(30);
      await keyboard.press('Tab');
    }
    await keyboard.press('Enter');
    const list = page.locator('.monaco-select-box-dropdown-container.visible');
    await list.waitFor();
    const chosen = list.locator('.monaco-list-row.focused');
    await chosen.getByText('auto', { exact: true }).waitFor();
    for (const next of ['wasm', 'webgpu']) {
      await keyboard.press('ArrowDown');
      await chosen.getByText(next, { exact: true }).waitFor();
    }
    await keyboard.press('Enter');
    const file = path.join(open.folder, '.vscode', 'settings.json');
    await expect
      .poll(() => fs.existsSync(file) && fs.readFileSync(file, 'utf8'), { timeout: 60_000 })
      .toContain('"quantscope.backend": "webgpu"');
    await keyboard.press('Escape');
    await settings.waitFor({ state: 'detached' });
  });

  test('a layer is quantized from the tree, and its comparison shows numbers', async () => {
    const { page } = open.workbench;
    const { keyboard } = page;
    // Quick Open finds the model as the user would.
    const quick = page.locator('.quick-input-widget');
    await keyboard.press('Control+P');
    await quick.waitFor();
    await keyboard.type(MODEL);
    await quick.locator('.monaco-list-row.focused').getByText(MODEL).waitFor();
    await keyboard.press('Enter');
    const editor = await editorPage(open.workbench);

    // Into the page, and on to the tree.
    const row = layerRow(editor, 'layers.1');
    await row.waitFor();
    const tree = editor.getByRole('tree');
    const focusedTree = editor.locator('[role="tree"]:focus');
    for (let tabs = 0; (await focusedTree.count()) === 0; tabs++) {
      expect(tabs, 'Tab never reaches the tree').toBeLessThan(20);
      await keyboard.press('Tab');
    }
    await keyboard.press('Home');
    const wanted = await row.getAttribute('id');
    for (let steps = 0; (await tree.getAttribute('aria-activedescendant')) !== wanted; steps++) {
      expect(steps, 'the arrows never reach layers.1').toBeLessThan(60);
      await keyboard.press('ArrowDown');
    }

    await keyboard.press('Shift+F10');
    const menu = page.locator('.context-view .monaco-menu');
    const item = menu.getByRole('menuitem', { name: quantizeItem });
    await item.waitFor();
    const chosen = menu.locator('.action-item.focused').filter({ hasText: quantizeItem });
    for (let steps = 0; (await chosen.count()) === 0; steps++) {
      expect(steps, `the arrows never reach ${quantizeItem}`).toBeLessThan(10);
      await keyboard.press('ArrowDown');
    }
    await keyboard.press('Enter');

    const formats = await open.workbench.quickPick('(1/3)');
    await formats.locator('.monaco-list-row[aria-checked="true"]').first().waitFor();
    await keyboard.press('Enter');
    const methods = await open.workbench.quickPick('(2/3)');
    const nearest = methods.locator('.monaco-list-row[aria-checked="true"]');
    await nearest.getByText('Round to nearest', { exact: true }).waitFor();
    await keyboard.press('Enter');
    const sizes = await open.workbench.quickPick('(3/3)');
    await sizes.locator('.monaco-list-row.focused').getByText('128', { exact: true }).waitFor();
    await keyboard.press('Enter');

    const comparison = await finishedComparison(open.workbench, 'layers.1');
    // This window has no adapter. A status is what screen readers read out by themselves.
    const status = comparison.getByRole('status');
    await status
      .getByText(/s on wasm, .* · webgpu was asked for, but no GPU can be used \(/)
      .waitFor();
    const shown = await readComparison(comparison);
    expect(Object.keys(shown)).toContain('afp4-e2m1:g128');
    for (const [id, { sqnrDb }] of Object.entries(shown)) {
      expect(Number(sqnrDb.value), `${id}: SQNR ${sqnrDb.text}`).toBeGreaterThan(15);
    }
  });
});
