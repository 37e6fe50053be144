import * as fs from 'node:fs';
import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { runNode } from '../../scripts/lib/process.mjs';
import {
  chooseFormats,
  comparisonPage,
  editorPage,
  finishedComparison,
  formatLabels,
  layerRow,
  quantize,
  quantizeItem,
  readComparison,
  tensorRow,
} from '../../scripts/lib/quantscope.mjs';
import type { ComparisonCell } from '../../scripts/lib/quantscope.mjs';
import type { ComparisonReport } from '../../src/reports/reports.js';
import { readShownNumber } from './shownNumber.js';
import { DOWN_PROJ, MODEL, safetensorsBytes, TestWindow } from './support.js';

const FORMATS = ['int4-asym', 'fp4-e2m1', 'afp4-e2m1', 'nf4', 'anf4', 'dint4'];

/** 1 GB of zeros, which take a while and, sparse, no disk. */
const LARGE = 'large.safetensors';
const LARGE_BYTES = 2 ** 30;
const LARGE_TENSOR = 'layers.0.mlp.up_proj.weight';

const open = TestWindow.use((folder) => {
  const tensor = { dtype: 'BF16', shape: [2 ** 15, 2 ** 14], data_offsets: [0, LARGE_BYTES] };
  const header = safetensorsBytes({ [LARGE_TENSOR]: tensor });
  fs.writeFileSync(path.join(folder, LARGE), header);
  fs.truncateSync(path.join(folder, LARGE), header.length + LARGE_BYTES);
});

function commandLine(tensors: string, formats: string[], group: number, output: string) {
  const named = formats.flatMap((format) => ['--format', `${format}:g${group}`]);
  const options = ['--tensor', tensors, ...named, output, '--quiet'];
  const model = path.join(open.folder, MODEL);
  return runNode([inRoot('dist', 'cli.js'), 'compare', model, ...options], { quiet: true });
}

async function compareAtCommandLine(tensors: string, formats: string[], group: number) {
  const output = await commandLine(tensors, formats, group, '--json');
  return JSON.parse(output) as ComparisonReport;
}

const MEASURES = ['sqnrDb', 'mse', 'maxAbsError', 'rmseOverStep', 'underflowFraction'] as const;

/**
 * Every number of the panel is the command line's: the same to the last bit behind the cell, and
 * rounded in it.
 */
function expectSameNumbers(
  shown: Record<string, Record<string, ComparisonCell>>,
  report: ComparisonReport,
): void {
  expect(Object.keys(shown).sort()).toEqual(report.formats.map(({ id }) => id).sort());
  for (const { id, bitsPerWeight, summary } of report.formats) {
    for (const measure of ['bitsPerWeight', ...MEASURES] as const) {
      const exact = measure === 'bitsPerWeight' ? bitsPerWeight : summary[measure];
      const { text, unit, value } = shown[id][measure];
      expect(Number(value), `${id} ${measure}`).toBe(exact);
      const read = readShownNumber(text, unit);
      const what = `${id} ${measure}: shown ${text} ${unit}, computed ${exact}`;
      expect(Math.abs(read.value - exact), what).toBeLessThanOrEqual(read.halfStep * 1.000001);
      expect(read.halfStep, `${what}: too few digits`).toBeLessThan(Math.abs(exact) * 0.05);
    }
  }
}

async function sampleEditor() {
  await open.workbench.openFile(MODEL);
  return editorPage(open.workbench);
}

describe('Quantize Layer…', () => {
  test('compares a tensor in the chosen formats, with the numbers of the command line', async () => {
    const editor = await sampleEditor();
    await tensorRow(editor, DOWN_PROJ).click();
    const page = await quantize(open.workbench, tensorRow(editor, DOWN_PROJ), FORMATS, 128);
    const report = await compareAtCommandLine(DOWN_PROJ, FORMATS, 128);
    expectSameNumbers(await readComparison(page), report);
  });

  test('copies the comparison as the CSV of the command line', async () => {
    const { page } = open.workbench;
    const comparison = await finishedComparison(open.workbench, DOWN_PROJ);
    await comparison.getByRole('button', { name: 'Copy as CSV' }).click();
    await page.getByText('Comparison copied as CSV').waitFor();
    const copied = await page.evaluate('navigator.clipboard.readText()');
    expect(copied).toBe(await commandLine(DOWN_PROJ, FORMATS, 128, '--csv'));
  });

  test('takes a layer for all linear weights in it, with another group size', async () => {
    const editor = await sampleEditor();
    const formats = ['int4-sym', 'nf4'];
    const page = await quantize(open.workbench, layerRow(editor, 'layers.1'), formats, 64);
    const report = await compareAtCommandLine('model.layers.1.*_proj.weight', formats, 64);
    expect(report.formats[0].tensors).toHaveLength(7);
    expectSameNumbers(await readComparison(page), report);
  });

  test('remembers what was chosen, and compares a file from the explorer', async () => {
    const { workbench } = open;
    await workbench.chooseFromContextMenu(workbench.explorerRow(MODEL), quantizeItem, 'Quantscope');
    expect(await workbench.tickedItems('(1/3)')).toEqual(await formatLabels(['int4-sym', 'nf4']));
    await chooseFormats(workbench, FORMATS, 128);
    const page = await finishedComparison(workbench, `sample/${MODEL}`);
    const report = await compareAtCommandLine('model.layers.*_proj.weight', FORMATS, 128);
    expect(report.formats[0].tensors).toHaveLength(28);
    expectSameNumbers(await readComparison(page), report);
  });

  test('looks right in three themes', async () => {
    // The panel of the test before: a screenshot of anything else would prove nothing.
    await readComparison(await finishedComparison(open.workbench, `sample/${MODEL}`));
    for (const theme of ['Light Modern', 'Dark High Contrast', 'Dark Modern'] as const) {
      await open.workbench.setTheme(theme);
      await open.screenshot(`comparison-${theme.toLowerCase().replaceAll(' ', '-')}`);
    }
  });

  test('takes further formats beside what is there, and lets some go', async () => {
    const { workbench } = open;
    const page = await finishedComparison(workbench, `sample/${MODEL}`);
    const before = await readComparison(page);
    await page.getByText('Add Formats…').click();
    await chooseFormats(workbench, ['int3-asym'], 32);
    const row = (id: string) => page.locator(`tr[data-format="${id}"]`);
    await row('int3-asym:g32').locator('td[data-measure=sqnrDb][data-value]').waitFor();
    await finishedComparison(workbench, `sample/${MODEL}`);
    const after = await readComparison(page);
    const report = await compareAtCommandLine('model.layers.*_proj.weight', ['int3-asym'], 32);
    expect(Object.keys(after)).toEqual([...Object.keys(before), 'int3-asym:g32']);
    for (const id of Object.keys(before)) {
      expect(after[id].sqnrDb.value, id).toBe(before[id].sqnrDb.value);
    }
    expect(Number(after['int3-asym:g32'].sqnrDb.value)).toBe(report.formats[0].summary.sqnrDb);
    await row('nf4:g128').locator('.format-name').focus();
    await workbench.page.keyboard.press('Delete');
    await row('nf4:g128').waitFor({ state: 'detached' });
    await row('int3-asym:g32').locator('.format-name').focus();
    await workbench.page.keyboard.press('Alt+ArrowUp');
    const order = () => readComparison(page).then((shown) => Object.keys(shown));
    const left = Object.keys(before).filter((id) => id !== 'nf4:g128');
    const moved = [...left.slice(0, -1), 'int3-asym:g32', left.at(-1)!];
    await expect.poll(order).toEqual(moved);
  });

  test('calibrates where a method is chosen, with the numbers of the command line', async () => {
    const { workbench } = open;
    const editor = await sampleEditor();
    await workbench.chooseFromContextMenu(layerRow(editor, 'layers.2'), quantizeItem);
    const methods = ['Round to nearest', 'GPTQ', 'Activations as they are', 'A8'];
    await chooseFormats(workbench, ['dint4'], 128, { methods });
    await workbench.pickOne('(4/5)', 'The model’s own text: calibration.txt');
    await workbench.pickOne('(5/5)', '16 windows of 256 tokens');
    const page = await finishedComparison(workbench, 'layers.2');
    const names = ['dint4', 'dint4/int8-token', 'dint4+gptq', 'dint4+gptq/int8-token'];
    const output = await runNode(
      [
        ...[
          inRoot('dist', 'cli.js'),
          'compare',
          path.join(open.folder, MODEL),
          '--quiet',
          '--json',
        ],
        ...['--tensor', 'model.layers.2.*_proj.weight', '--format', names.join(',')],
        ...['--calibration-windows', '16', '--calibration-context', '256'],
      ],
      { quiet: true, env: { QUANTSCOPE_CACHE: path.join(open.folder, 'cache') } },
    );
    const report = JSON.parse(output) as ComparisonReport;
    const shown = await readComparison(page);
    expect(Object.keys(shown)).toHaveLength(4);
    for (const { id, summary } of report.formats) {
      expect(Number(shown[id]['outputSqnrDb'].value), id).toBe(summary.outputSqnrDb);
      expect(Number(shown[id]['mse'].value), id).toBe(summary.mse);
    }
    const [nearest, , gptq] = report.formats.map(({ summary }) => summary.outputSqnrDb!);
    expect(gptq).toBeGreaterThan(nearest);
    await page.getByRole('region', { name: 'What calibration chose' }).waitFor();
    for (const theme of ['Light Modern', 'Dark High Contrast', 'Dark Modern'] as const) {
      await workbench.setTheme(theme);
      await open.screenshot(`calibration-${theme.toLowerCase().replaceAll(' ', '-')}`);
    }
  });

  test('shows progress, and stops when asked to', async () => {
    const { workbench } = open;
    await workbench.openFile(LARGE);
    const editor = await editorPage(workbench);
    await workbench.chooseFromContextMenu(tensorRow(editor, LARGE_TENSOR), quantizeItem);
    await chooseFormats(workbench, FORMATS, 128, { runs: false });
    const page = await comparisonPage(workbench, LARGE_TENSOR);
    const status = (name: string) =>
      page.locator(`[data-testid="comparison-status"][data-status="${name}"]`);
    await status('running').getByRole('progressbar').waitFor();
    await status('running').getByRole('button', { name: 'Cancel' }).click();
    await status('cancelled').getByRole('button', { name: 'Run Again' }).click();
    await status('running').getByRole('button', { name: 'Cancel' }).click();
    await status('cancelled').waitFor();
    await workbench.runCommand('View: Close Editor');
  });

  test('compares a file with another checkpoint of the model, tensor by tensor', async () => {
    const { workbench, folder } = open;
    const other = path.join(folder, 'afp4.safetensors');
    await runNode(
      [
        ...[inRoot('dist', 'cli.js'), 'quantize', path.join(folder, MODEL)],
        ...['--format', 'afp4', '--out', other, '--quiet'],
      ],
      { quiet: true },
    );
    const item = 'Compare with Another Checkpoint…';
    await workbench.chooseFromContextMenu(workbench.explorerRow(MODEL), item, 'Quantscope');
    await workbench.answerFileDialog('Compare sample', other);
    const page = await finishedComparison(workbench, `sample/${MODEL} ↔ afp4.safetensors`);
    const model = path.join(folder, MODEL);
    const output = await runNode(
      [inRoot('dist', 'cli.js'), 'compare', model, '--against', other, '--json', '--quiet'],
      { quiet: true },
    );
    const shown = await readComparison(page);
    const [{ id, bitsPerWeight, summary }] = (JSON.parse(output) as ComparisonReport).formats;
    expect(Object.keys(shown)).toEqual([id]);
    expect(Number(shown[id].bitsPerWeight.value)).toBe(bitsPerWeight);
    for (const measure of ['sqnrDb', 'mse', 'maxAbsError', 'underflowFraction'] as const) {
      expect(Number(shown[id][measure].value), measure).toBe(summary[measure]);
    }
    // Nobody knows what levels the other checkpoint had.
    expect(shown[id].rmseOverStep).toMatchObject({ text: '–', value: null });
    await expect.poll(() => page.getByText('all tensors that both have').count()).toBe(1);
    await open.screenshot('compare-with');
  });

  test('runs without a complaint of the browser', () => {
    expect(open.complaints).toEqual([]);
  });
});
