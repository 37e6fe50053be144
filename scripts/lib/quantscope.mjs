// What a user does with the extension in a window: shared by the window tests and `npm start -- --once`.
import { runNode } from './process.mjs';
import { inRoot } from './paths.mjs';

/** @typedef {import('playwright-core').FrameLocator} FrameLocator */
/** @typedef {import('playwright-core').Locator} Locator */
/** @typedef {import('./workbench.mjs').Workbench} Workbench */

export const quantizeItem = 'Quantize Layer…';

/** Attribute selector. @param {string} name @param {string} value */
const has = (name, value) => `[${name}=${JSON.stringify(value)}]`;

/** The page of the safetensors editor in front, once its tree is there. @param {Workbench} window */
export function editorPage(window) {
  return window.webview('[data-testid="tensor-row"], [data-testid="layer-row"]');
}

/** Row of a tensor. @param {FrameLocator} editor @param {string} name */
export function tensorRow(editor, name) {
  return editor.locator(`[data-testid="tensor-row"]${has('data-tensor', name)}`);
}

/** Row of a layer. @param {FrameLocator} editor @param {string} name such as "layers.0" */
export function layerRow(editor, name) {
  return editor.locator(`[data-testid="layer-row"]${has('data-layer', name)}`);
}

/**
 * Waits until the details of the selection are drawn: its charts are there.
 * @param {FrameLocator} editor
 */
export async function detailsDrawn(editor) {
  await editor.locator('[data-testid="details"] .js-plotly-plot .main-svg').first().waitFor();
}

/**
 * Labels of formats as the quick pick shows them.
 * @param {readonly string[]} names catalogue names, such as "int4-asym"
 */
export async function formatLabels(names) {
  const output = await runNode([inRoot('dist', 'cli.js'), 'formats', '--json'], { quiet: true });
  /** @type {{ formats: { name: string, label: string }[] }} */
  const { formats } = JSON.parse(output);
  return names.map((name) => {
    const found = formats.find((format) => format.name === name);
    if (!found) throw new Error(`No format is called ${name}`);
    return found.label;
  });
}

/**
 * Quantizes by right click, and waits for the comparison.
 * @param {Workbench} window
 * @param {Locator} row of a tensor or a layer
 * @param {readonly string[]} formats catalogue names
 * @param {number} groupSize
 * @returns {Promise<FrameLocator>} the comparison page, done
 */
export async function quantize(window, row, formats, groupSize) {
  const name = (await row.getAttribute('data-layer')) ?? (await row.getAttribute('data-tensor'));
  await window.chooseFromContextMenu(row, quantizeItem);
  await chooseFormats(window, formats, groupSize);
  return finishedComparison(window, name ?? '');
}

/** Items of the step that asks for methods and activations: nothing but rounding to nearest. */
const NEAREST = ['Round to nearest', 'Activations as they are'];

/**
 * Answers the questions of "Quantize Layer…".
 * @param {Workbench} window
 * @param {readonly string[]} formats catalogue names
 * @param {number} groupSize
 * @param {object} [options]
 * @param {boolean} [options.runs] whether the model can be run, and so is asked about methods
 * @param {readonly string[]} [options.methods] labels
 * @param {number} [options.further] steps that follow
 */
export async function chooseFormats(
  window,
  formats,
  groupSize,
  { runs = true, methods = NEAREST, further = 0 } = {},
) {
  const steps = (runs ? 3 : 2) + further;
  await window.pickMany(`(1/${steps})`, await formatLabels(formats));
  if (runs) await window.pickMany(`(2/${steps})`, methods);
  await window.pickOne(`(${runs ? 3 : 2}/${steps})`, String(groupSize));
}

/**
 * The comparison page of a selection, in front.
 * @param {Workbench} window
 * @param {string} name of the tensor, layer or file; titles may leave its first parts out
 */
export async function comparisonPage(window, name) {
  await window.untilActiveTab((label) => {
    const [, shown] = /^(?:Format )?Comparison: (.*)$/.exec(label) ?? [];
    return shown !== undefined && name.endsWith(shown);
  });
  return window.webview('[data-testid="comparison-status"]');
}

/**
 * The comparison page of a selection, once its job has ended and the results are drawn.
 * @param {Workbench} window
 * @param {string} name as in {@link comparisonPage}
 */
export async function finishedComparison(window, name) {
  const status = '[data-testid="comparison-status"]';
  const page = await comparisonPage(window, name);
  const ended = page.locator(`${status}:not([data-status="running"])`);
  await ended.waitFor({ state: 'attached' });
  const outcome = await ended.getAttribute('data-status');
  if (outcome !== 'done') {
    throw new Error(`The comparison ${outcome}: ${await page.locator('body').innerText()}`);
  }
  await page.locator('[data-testid="comparison-table"] [data-format]').first().waitFor();
  await page.locator('.js-plotly-plot .main-svg').first().waitFor();
  return page;
}

/**
 * A cell of the comparison table: its text, the unit in the column's head, the number behind it.
 * @typedef {{ text: string, unit: string, value: string | null }} ComparisonCell
 */

/**
 * What the comparison table shows.
 * @param {FrameLocator} page
 * @returns {Promise<Record<string, Record<string, ComparisonCell>>>} by format and measure
 */
export function readComparison(page) {
  return page.locator('[data-testid="comparison-table"]').evaluate((table) =>
    Object.fromEntries(
      [...table.querySelectorAll('tbody [data-format]')].map((row) => [
        row.getAttribute('data-format'),
        Object.fromEntries(
          [...row.querySelectorAll('[data-measure]')].map((cell) => {
            const measure = cell.getAttribute('data-measure');
            const head = table.querySelector(`thead [data-measure="${measure}"] .note`);
            const [text, unit] = [cell, head].map((element) => element?.textContent?.trim() ?? '');
            return [measure, { text, unit, value: cell.getAttribute('data-value') }];
          }),
        ),
      ]),
    ),
  );
}
