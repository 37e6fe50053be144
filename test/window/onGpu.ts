// Perplexities in a window that has a GPU, SwiftShader's, held against those of threads.
import * as fs from 'node:fs';
import * as path from 'node:path';
import type { FrameLocator } from 'playwright-core';
import { expect } from 'vitest';
import { inRoot } from '../../scripts/lib/paths.mjs';
import { runNode } from '../../scripts/lib/process.mjs';
import {
  comparisonPage,
  finishedComparison,
  chooseFormats,
  readComparison,
} from '../../scripts/lib/quantscope.mjs';
import type { ComparisonReport } from '../../src/reports/reports.js';
import type { TestWindow } from './support.js';

/** SwiftShader's adapter. */
export const GPU_FLAGS: readonly string[] = ['--enable-unsafe-webgpu'];
/** For a test that measures: where others compute at the same time, the software adapter takes minutes. */
export const TEST_TIMEOUT = 600_000;
const MEASURING_MILLISECONDS = 500_000;
export const MAX_RELATIVE_ERROR = { perplexity: 1e-4, mse: 1e-5 };

/** Asks for the GPU in a folder's settings: `auto` takes none that computes on the CPU. */
export function askForGpu(folder: string): void {
  fs.mkdirSync(path.join(folder, '.vscode'), { recursive: true });
  const settings = { 'quantscope.backend': 'webgpu' };
  fs.writeFileSync(path.join(folder, '.vscode', 'settings.json'), JSON.stringify(settings));
}

/**
 * Compares formats of a model, perplexities included, on its own text.
 * @param model its folder, at the top of the window's
 * @param formats catalogue names
 */
export async function measureInWindow(
  { workbench }: TestWindow,
  model: string,
  formats: readonly string[],
): Promise<FrameLocator> {
  const item = 'Measure Perplexity…';
  await workbench.explorerRow(model).click();
  const inFolder = workbench.page.locator('[aria-level="2"]');
  const file = workbench.explorerRow('model.safetensors').and(inFolder);
  await workbench.chooseFromContextMenu(file, item, 'Quantscope');
  await chooseFormats(workbench, formats, 32, { further: 2 });
  await workbench.pickOne('(4/5)', 'The model’s own text: eval.txt');
  await workbench.pickOne('(5/5)', 'All windows');
  const name = `${model}/model.safetensors`;
  const page = await comparisonPage(workbench, name);
  await page
    .locator('[data-testid="comparison-status"]:not([data-status="running"])')
    .waitFor({ timeout: MEASURING_MILLISECONDS });
  return finishedComparison(workbench, name);
}

/** The same at the command line. @param folder of the model @param formats catalogue names */
export async function measureAtCommandLine(
  folder: string,
  formats: readonly string[],
  backend: 'wasm' | 'webgpu',
): Promise<ComparisonReport> {
  const named = formats.flatMap((format) => ['--format', `${format}:g32`]);
  const options = ['--text', path.join(folder, 'eval.txt'), '--no-cache', '--backend', backend];
  const output = await runNode(
    [inRoot('dist', 'cli.js'), 'compare', folder, ...named, ...options, '--json', '--quiet'],
    { quiet: true },
  );
  return JSON.parse(output) as ComparisonReport;
}

function expectRatio(found: number, wanted: number, limit: number, what: string): void {
  expect(Math.abs(found / wanted - 1), `${what}: ${found}, not ${wanted}`).toBeLessThan(limit);
}

/** Holds two reports against each other. */
export function expectSameReport(found: ComparisonReport, wanted: ComparisonReport): void {
  const limits = MAX_RELATIVE_ERROR;
  const values = ({ baseline, formats }: ComparisonReport) => [
    ['unquantized', baseline.perplexity!.value] as const,
    ...formats.map(({ id, perplexity }) => [id, perplexity!.value] as const),
  ];
  const expected = values(wanted);
  values(found).forEach(([id, value], i) => {
    expect(id).toBe(expected[i][0]);
    expectRatio(value, expected[i][1], limits.perplexity, `perplexity of ${id}`);
  });
  found.formats.forEach(({ id, summary }, i) =>
    expectRatio(summary.mse, wanted.formats[i].summary.mse, limits.mse, `MSE of ${id}`),
  );
}

/** Holds what a page shows against a report of threads. */
export async function expectShown(page: FrameLocator, wanted: ComparisonReport): Promise<void> {
  const limits = MAX_RELATIVE_ERROR;
  const baseline = page.locator('[data-baseline] [data-measure="perplexity"]');
  const unquantized = Number(await baseline.getAttribute('data-value'));
  expectRatio(unquantized, wanted.baseline.perplexity!.value, limits.perplexity, 'unquantized');
  const shown = await readComparison(page);
  expect(Object.keys(shown).sort()).toEqual(wanted.formats.map(({ id }) => id).sort());
  for (const { id, summary, perplexity } of wanted.formats) {
    const cells = shown[id];
    expectRatio(Number(cells.mse.value), summary.mse, limits.mse, `MSE of ${id}`);
    const value = Number(cells.perplexity.value);
    expectRatio(value, perplexity!.value, limits.perplexity, `perplexity of ${id}`);
  }
}
