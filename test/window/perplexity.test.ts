import * as fs from 'node:fs';
import * as path from 'node:path';
import type { FrameLocator } from 'playwright-core';
import { describe, expect, test } from 'vitest';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { runNode } from '../../scripts/lib/process.mjs';
import {
  comparisonPage,
  editorPage,
  finishedComparison,
  chooseFormats,
  layerRow,
  quantize,
  readComparison,
} from '../../scripts/lib/quantscope.mjs';
import type { ComparisonReport } from '../../src/reports/reports.js';
import { readShownNumber } from './shownNumber.js';
import { DOWN_PROJ, MODEL, safetensorsBytes, TestWindow } from './support.js';

const FORMATS = ['int4-asym', 'afp4-e2m1', 'int3-asym'];
const MEASURE = 'Measure Perplexity…';
const OWN_TEXT = 'The model’s own text: eval.txt';
const WINDOWS = 16;

/** A few windows of text, to be dragged or chosen. */
const SHORT_TEXT = 'short.txt';
const CHOSEN_TEXT = 'chosen.txt';
/** Folder of a model that Quantscope cannot run. */
const UNKNOWN = 'unknown-model';
const UNKNOWN_FILE = 'mamba.safetensors';

const open = TestWindow.use((folder) => {
  const text = fs.readFileSync(path.join(folder, 'eval.txt'), 'utf8');
  fs.writeFileSync(path.join(folder, SHORT_TEXT), text.slice(0, 5000));
  fs.writeFileSync(path.join(folder, CHOSEN_TEXT), text.slice(5000, 9000));
  fs.mkdirSync(path.join(folder, UNKNOWN));
  fs.writeFileSync(path.join(folder, UNKNOWN, 'config.json'), '{ "model_type": "mamba" }');
  fs.writeFileSync(
    path.join(folder, UNKNOWN, UNKNOWN_FILE),
    safetensorsBytes(
      { [DOWN_PROJ]: { dtype: 'F32', shape: [4, 128], data_offsets: [0, 2048] } },
      2048,
    ),
  );
});

async function atCommandLine(tensors: string, formats: readonly string[]) {
  const named = formats.flatMap((format) => ['--format', `${format}:g128`]);
  const options = ['--tensor', tensors, ...named, '--windows', String(WINDOWS), '--no-cache'];
  const model = path.join(open.folder, MODEL);
  const output = await runNode(
    [inRoot('dist', 'cli.js'), 'compare', model, ...options, '--json', '--quiet'],
    { quiet: true },
  );
  return JSON.parse(output) as ComparisonReport;
}

/** What the page shows of a perplexity is the command line's: the same number, rounded. */
async function expectSameNumbers(page: FrameLocator, report: ComparisonReport): Promise<void> {
  const shown = await readComparison(page);
  expect(Object.keys(shown).sort()).toEqual(report.formats.map(({ id }) => id).sort());
  for (const { id, perplexity } of report.formats) {
    const { value, deltaVsBaseline, klDivergence, topTokenAgreement } = perplexity!;
    const exact = { perplexity: value, klDivergence, topTokenAgreement } as const;
    expect(Number(shown[id].perplexityDelta.value), id).toBe(deltaVsBaseline);
    for (const [measure, number] of Object.entries(exact)) {
      const cell = shown[id][measure];
      expect(Number(cell.value), `${id} ${measure}`).toBe(number);
      const read = readShownNumber(cell.text.replace(' ○', ''), cell.unit);
      expect(Math.abs(read.value - number!), `${id} ${measure}: ${cell.text}`).toBeLessThanOrEqual(
        read.halfStep * 1.000001,
      );
    }
  }
  const baseline = page.locator('[data-baseline] [data-measure="perplexity"]');
  expect(Number(await baseline.getAttribute('data-value'))).toBe(report.baseline.perplexity!.value);
}

const status = (page: FrameLocator, name: string) =>
  page.locator(`[data-testid="comparison-status"][data-status="${name}"]`);

describe('Measure Perplexity…', () => {
  test('from a panel asks for text and windows, and adds the numbers of the command line', async () => {
    await open.workbench.openFile(MODEL);
    const editor = await editorPage(open.workbench);
    const page = await quantize(open.workbench, layerRow(editor, 'layers.1'), FORMATS, 128);
    await page.getByRole('button', { name: MEASURE }).click();
    await open.workbench.pickOne('(1/2)', OWN_TEXT);
    await open.workbench.pickOne('(2/2)', `First ${WINDOWS} windows`);
    await page.locator('[data-baseline] [data-measure="perplexity"][data-value]').waitFor();
    await finishedComparison(open.workbench, 'layers.1');
    const report = await atCommandLine('model.layers.1.*_proj.weight', FORMATS);
    await expectSameNumbers(page, report);
    await page.getByTestId('perplexity-text').getByText('eval.txt').waitFor();
    await page.getByText('16 windows of 256 tokens').waitFor();
  });

  test('looks right in three themes', async () => {
    await readComparison(await finishedComparison(open.workbench, 'layers.1'));
    for (const theme of ['Light Modern', 'Dark High Contrast', 'Dark Modern'] as const) {
      await open.workbench.setTheme(theme);
      await open.screenshot(`perplexity-${theme.toLowerCase().replaceAll(' ', '-')}`);
    }
  });

  test('keeps the numbers through a reload of the window', async () => {
    const before = await readComparison(await finishedComparison(open.workbench, 'layers.1'));
    await open.workbench.page.reload();
    const page = await finishedComparison(open.workbench, 'layers.1');
    expect(await readComparison(page)).toEqual(before);
    await page.getByTestId('perplexity-text').getByText('eval.txt').waitFor();
  });

  test('measures on a text dragged from the explorer with Shift held', async () => {
    const { workbench } = open;
    const { page: window } = workbench;
    const page = await comparisonPage(workbench, 'layers.1');
    const from = (await workbench.explorerRow(SHORT_TEXT).boundingBox())!;
    const to = (await page.getByRole('heading', { name: 'Formats' }).boundingBox())!;
    await window.mouse.move(from.x + 40, from.y + from.height / 2);
    await window.mouse.down();
    await window.mouse.move(from.x + 60, from.y + from.height / 2, { steps: 3 });
    await window.keyboard.down('Shift');
    await window.mouse.move(to.x + 60, to.y + 200, { steps: 10 });
    await window.mouse.move(to.x + 80, to.y + 240, { steps: 5 });
    await page.getByText('Drop a text file to measure perplexity on it').waitFor();
    await open.screenshot('perplexity-drop');
    await window.mouse.up();
    await window.keyboard.up('Shift');
    await workbench.pickOne('(1/1)', 'All windows');
    await page.getByTestId('perplexity-text').getByText(SHORT_TEXT).waitFor();
    await status(page, 'done').waitFor();
  });

  test('takes any text from a file dialog, asked for in the command palette', async () => {
    const { workbench } = open;
    const page = await comparisonPage(workbench, 'layers.1');
    await workbench.runCommand(`Quantscope: ${MEASURE}`);
    await workbench.pickOne('(1/2)', 'Choose a File…');
    const chosen = path.join(open.folder, CHOSEN_TEXT);
    await workbench.answerFileDialog('Text to measure perplexity on', chosen);
    await workbench.pickOne('(2/2)', 'All windows');
    await page.getByTestId('perplexity-text').getByText(CHOSEN_TEXT).waitFor();
    await status(page, 'done').waitFor();
  });

  test('is offered in the title bar of a comparison', async () => {
    const { workbench } = open;
    const actions = workbench.page.locator('.editor-group-container.active .editor-actions');
    await actions.getByRole('button', { name: MEASURE }).click();
    const pick = await workbench.quickPick('(1/2)');
    await pick.locator('.quick-input-filter input').press('Escape');
    await pick.waitFor({ state: 'hidden' });
  });

  test('shows progress by block, stops when asked to, and resumes', async () => {
    const { workbench } = open;
    const page = await comparisonPage(workbench, 'layers.1');
    await page.getByRole('button', { name: MEASURE }).click();
    await workbench.pickOne('(1/2)', OWN_TEXT);
    await workbench.pickOne('(2/2)', 'All windows + each tensor alone');
    const running = status(page, 'running');
    await running.getByText(/^Perplexity: block \d of 4, windows /).waitFor();
    await open.screenshot('perplexity-running');
    await running.getByRole('button', { name: 'Cancel' }).click();
    const cancelled = status(page, 'cancelled');
    await cancelled.getByText(/^Perplexity cancelled/).waitFor();
    await cancelled.getByRole('button', { name: 'Resume' }).click();
    await status(page, 'running').getByRole('button', { name: 'Cancel' }).click();
    await status(page, 'cancelled').waitFor();
  });

  test('from the explorer asks for formats first, and shows the whole model', async () => {
    const { workbench } = open;
    await workbench.chooseFromContextMenu(workbench.explorerRow(MODEL), MEASURE, 'Quantscope');
    await chooseFormats(workbench, ['nf4'], 128, { further: 2 });
    await workbench.pickOne('(4/5)', OWN_TEXT);
    await workbench.pickOne('(5/5)', `First ${WINDOWS} windows`);
    const page = await finishedComparison(workbench, `sample/${MODEL}`);
    await expectSameNumbers(page, await atCommandLine('model.layers.*_proj.weight', ['nf4']));
  });

  test('says which architecture is not known, and compares its weights', async () => {
    const { workbench } = open;
    await workbench.explorerRow(UNKNOWN).click();
    const row = workbench.explorerRow(UNKNOWN_FILE);
    await workbench.chooseFromContextMenu(row, MEASURE, 'Quantscope');
    await chooseFormats(workbench, ['nf4'], 128, { runs: false, further: 2 });
    const page = await comparisonPage(workbench, UNKNOWN_FILE);
    const message = await page.getByRole('alert').locator('.message-text').innerText();
    expect(message).toContain('"mamba"');
    expect((await readComparison(page))['nf4:g128'].bitsPerWeight.value).toBe('4.125');
    await open.screenshot('perplexity-unknown');
  });

  test('runs without a complaint of the browser', () => {
    expect(open.complaints).toEqual([]);
  });
});
