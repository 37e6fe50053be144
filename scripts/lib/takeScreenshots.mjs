import path from 'node:path';
import { packageExtension, packageOpener } from './build.mjs';
import { detailsDrawn, editorPage, quantize } from './quantscope.mjs';
import { ensureChromium } from './chromium.mjs';
import { ensureCodeServer } from './installCodeServer.mjs';
import { startSession } from './session.mjs';
import { say, step } from './terminal.mjs';
import { Workbench } from './workbench.mjs';

const FORMATS = ['int4-asym', 'fp4-e2m1', 'afp4-e2m1', 'nf4', 'anf4', 'dint4'];
const GROUP_SIZE = 128;

/**
 * Opens a model in a window without a display, quantizes its first layer through the menus, and
 * takes pictures of both.
 * @param {import('./model.mjs').ModelPlace} model
 * @param {string} folder for the pictures
 */
export async function takeScreenshots(model, folder) {
  await ensureChromium();
  await ensureCodeServer();
  const extensions = [await packageExtension(), await packageOpener()];
  const session = await step('Starting VS Code', () =>
    startSession(extensions, { trust: 'restrict', env: { QUANTSCOPE_OPEN: model.file } }),
  );
  const window = await step('Opening the model in a window', () =>
    Workbench.open(session.browser, session.server, { folder: model.folder }),
  );
  try {
    const editor = await editorPage(window);
    await detailsDrawn(editor);
    await window.screenshot(path.join(folder, 'editor.png'));
    await step('Quantizing its first layer through the context menu', async () => {
      const rows = editor.locator('[data-testid="layer-row"], [data-testid="tensor-row"]');
      const layers = editor.locator('[data-testid="layer-row"]');
      const row = (await layers.count()) > 0 ? layers.first() : rows.first();
      await quantize(window, row, FORMATS, GROUP_SIZE);
    });
    await window.screenshot(path.join(folder, 'comparison.png'));
  } catch (error) {
    await window.screenshot(path.join(folder, 'failure.png'));
    throw error;
  }
  await session.close();
  say(`Screenshots are in ${folder}: editor.png, comparison.png`);
}
