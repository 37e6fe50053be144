// A comparison in a file of its own, opened from disk.
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatComparisonCsv, formatReportJson } from '../../src/reports/present.js';
import { renderHtmlReport } from '../../src/reports/htmlReport.js';
import type { ComparisonReport } from '../../src/reports/reports.js';
import { calibratedComparison } from '../support/calibratedComparison.js';
import { sampleComparison } from '../support/sampleComparison.js';
import { withSamplePerplexity } from '../support/samplePerplexity.js';
import { NO_CHROMIUM, findChromium, launchChromium } from './chromium.js';
import { bundleReport } from './bundlePages.js';
import { waitForCharts } from './waits.js';

describe.skipIf(!findChromium())(`a report as an HTML file${NO_CHROMIUM}`, () => {
  let browser: Browser;
  let folder: string;
  beforeAll(async () => {
    browser = await launchChromium();
    folder = await mkdtemp(join(tmpdir(), 'quantscope-html-'));
  });
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  /** Opens a report, with everything that a page may complain of or load. */
  async function open(report: ComparisonReport, scheme: 'light' | 'dark' = 'light') {
    const file = join(folder, 'report.html');
    await writeFile(
      file,
      await renderHtmlReport(report, 'all linear weights', await bundleReport()),
    );
    const page = await browser.newPage({ colorScheme: scheme, acceptDownloads: true });
    const said: string[] = [];
    const url = pathToFileURL(file).toString();
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(error.message));
    page.on('request', (request) => {
      if (request.url() !== url) said.push(request.url());
    });
    await page.goto(url);
    await page.getByTestId('comparison-table').waitFor();
    return { page, said, close: () => page.close() };
  }

  const background = (page: Page) =>
    page.evaluate(() => getComputedStyle(document.body).backgroundColor);

  it('shows every number and chart without a word to anybody', async () => {
    const report = withSamplePerplexity(sampleComparison(), {}, true);
    const { page, said, close } = await open(report);
    await waitForCharts(page, 2);
    for (const { id, summary, perplexity } of report.formats) {
      const cell = (measure: string) =>
        page.locator(`tr[data-format="${id}"] td[data-measure=${measure}]`);
      expect(await cell('sqnrDb').getAttribute('data-value')).toBe(String(summary.sqnrDb));
      expect(await cell('perplexity').getAttribute('data-value')).toBe(String(perplexity!.value));
    }
    // What needs the model or the editor is not there.
    for (const name of ['Measure Perplexity…', 'Add Formats…', 'Save HTML', 'Copy as CSV']) {
      expect(await page.getByText(name, { exact: true }).count(), name).toBe(0);
    }
    expect(await page.getByText('Enter opens').count()).toBe(0);
    expect(await page.locator('.remove-format').count()).toBe(0);
    // Charts are live.
    await page.locator('qs-pareto-chart').getByText('View as Table').click();
    await page.locator('qs-pareto-chart table').waitFor();
    expect(said).toEqual([]);
    await close();
  });

  it('lets the numbers leave again as CSV and JSON', async () => {
    const report = calibratedComparison();
    const { page, said, close } = await open(report);
    const saved = async (button: string) => {
      const [download] = await Promise.all([
        page.waitForEvent('download'),
        page.getByText(button, { exact: true }).click(),
      ]);
      return readFile(await download.path(), 'utf8');
    };
    expect(await saved('Save CSV')).toBe(formatComparisonCsv(report));
    expect(await saved('Save JSON')).toBe(formatReportJson(report));
    expect(said).toEqual([]);
    await close();
  });

  it('takes the names of files for text', async () => {
    const report = sampleComparison();
    const hostile = '</script><img src=x onerror="window.hacked=1"><!--<script>';
    const [first, ...others] = report.formats;
    const [tensor, ...rest] = first.tensors;
    const formats = [{ ...first, tensors: [{ ...tensor, name: hostile }, ...rest] }, ...others];
    const model = { ...report.model, path: `/models/${hostile}.safetensors` };
    const { page, said, close } = await open({ ...report, model, formats });
    expect(await page.title()).toContain('onerror=');
    await page.getByText('all tensors', { exact: true }).click();
    await page.locator('.grid-row bdi', { hasText: 'onerror=' }).first().waitFor();
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
    expect(said).toEqual([]);
    await close();
  });

  it('follows the colours of the system', async () => {
    const light = await open(sampleComparison(), 'light');
    expect(await background(light.page)).toBe('rgb(255, 255, 255)');
    await light.page.emulateMedia({ colorScheme: 'dark' });
    await expect.poll(() => background(light.page)).toBe('rgb(31, 31, 31)');
    // On paper it is white again.
    await light.page.emulateMedia({ media: 'print', colorScheme: 'dark' });
    await expect.poll(() => background(light.page)).toBe('rgb(255, 255, 255)');
    await light.close();
  });
});
