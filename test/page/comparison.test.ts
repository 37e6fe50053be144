import type { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { TABLE_MEASURES } from '../../src/metrics/measures.js';
import type { ComparisonReport, FormatComparison } from '../../src/reports/reports.js';
import { doneComparison } from './fakeComparisonHost.js';
import { describePages } from './pageSuite.js';
import { sampleComparison } from '../support/sampleComparison.js';
import { waitForCharts } from './waits.js';

const report = sampleComparison();
const [INT4, SYM, FP4, AFP4, NF4, ANF4, DINT4, INT3] = report.formats.map(({ id }) => id);

const table = (page: Page): Locator => page.getByTestId('comparison-table');
const formatOrder = (page: Page): Promise<(string | null)[]> =>
  table(page)
    .locator('tbody tr[data-format]')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-format')));

const MEASURES = [...TABLE_MEASURES, 'sizeBytes'] as const;

/** What the table holds, in full precision. */
function tableValues(page: Page): Promise<Record<string, Record<string, number>>> {
  return table(page)
    .locator('tbody tr[data-format]')
    .evaluateAll((rows) =>
      Object.fromEntries(
        rows.map((row) => [
          row.getAttribute('data-format'),
          Object.fromEntries(
            [...row.querySelectorAll<HTMLElement>('td')].map(({ dataset }) => [
              dataset.measure,
              Number(dataset.value),
            ]),
          ),
        ]),
      ),
    );
}

describePages('the comparison table', (pages) => {
  it('holds every measure of every format, as reported', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await table(page).locator('tbody tr').nth(7).waitFor();
    const expected = report.formats.map(({ id, bitsPerWeight, summary }) => [
      id,
      { bitsPerWeight, ...Object.fromEntries(MEASURES.map((name) => [name, summary[name]])) },
    ]);
    expect(await tableValues(page)).toEqual(Object.fromEntries(expected));
    const status = page.getByTestId('comparison-status');
    expect(await status.getAttribute('data-status')).toBe('done');
    expect(await status.innerText()).toContain('28 tensors · 3,145,728 weights · 8 formats');
    const row = table(page).locator(`tr[data-format="${AFP4}"]`);
    expect((await row.innerText()).split(/\s+/).slice(0, 7).join(' ')).toBe(
      'AFP4 g128 afp4-e2m1:g128 4.250 1,632 19.52 3.84',
    );
  });

  it('marks the best of each column, and nothing where measures do not rank', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await table(page).locator('td.best').first().waitFor();
    const best = await table(page)
      .locator('td.best')
      .evaluateAll((cells) =>
        cells.map((cell) => [
          (cell as HTMLElement).dataset.measure,
          cell.closest('tr')!.dataset.format,
        ]),
      );
    expect(best).toContainEqual(['sqnrDb', ANF4]);
    expect(best).toContainEqual(['bitsPerWeight', INT3]);
    expect(best.some(([measure]) => measure === 'rmseOverStep')).toBe(false);
    const cell = table(page).locator(`tr[data-format="${ANF4}"] td[data-measure=sqnrDb]`);
    expect(await cell.getAttribute('aria-label')).toBe('ANF4 g128, 20.71 dB SQNR, best');
  });

  it('sorts by click and by keyboard, and says so', async () => {
    const { page, state } = await pages.comparison(doneComparison(report));
    const head = table(page).locator('th[data-measure=sqnrDb]');
    await head.getByRole('button').click();
    await expect
      .poll(() => formatOrder(page))
      .toEqual([...[ANF4, NF4, INT4, DINT4], ...[AFP4, FP4, SYM, INT3]]);
    expect(await head.getAttribute('aria-sort')).toBe('descending');
    await head.getByRole('button').focus();
    await page.keyboard.press('Enter');
    await expect.poll(() => head.getAttribute('aria-sort')).toBe('ascending');
    expect((await formatOrder(page))[0]).toBe(INT3);
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Enter');
    const size = table(page).locator('th[data-measure=sizeBytes]');
    await expect.poll(() => size.getAttribute('aria-sort')).toBe('ascending');
    expect(state()).toMatchObject({ sorting: { column: 'sizeBytes', direction: 'ascending' } });
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    await expect.poll(() => formatOrder(page)).toEqual(report.formats.map(({ id }) => id));
  });

  it('is walked by arrow keys, one cell in the tab order', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    const focusable = table(page).locator('[data-cell][tabindex="0"]');
    expect(await focusable.count()).toBe(1);
    await focusable.focus();
    for (const key of ['ArrowDown', 'ArrowDown', 'End', 'ArrowLeft'])
      await page.keyboard.press(key);
    const place = () => page.evaluate(() => (document.activeElement as HTMLElement).dataset);
    await expect.poll(place).toMatchObject({ measure: 'underflowFraction', cell: '2:7' });
    expect(await focusable.count()).toBe(1);
  });

  it('marks what is not exact as approximate, whatever its notes say', async () => {
    const approximate = withFormat(report, DINT4, {
      reconstructed: false,
      notes: ['Reconstructed scales are rounded.'],
    });
    const { page } = await pages.comparison(doneComparison(approximate));
    const row = table(page).locator(`tr[data-format="${DINT4}"]`);
    expect(await row.locator('.badge').innerText()).toBe('approximate');
  });

  it('marks what is reconstructed, with its notes as text', async () => {
    const noted = withFormat(report, DINT4, {
      notes: ['Reconstructed: <img src=x onerror="window.hacked=1">', 'F16 cannot hold 3 scales.'],
    });
    const { page } = await pages.comparison(doneComparison(noted));
    const row = table(page).locator(`tr[data-format="${DINT4}"]`);
    expect(await row.locator('.badge').innerText()).toBe('reconstructed');
    expect(await table(page).locator('.badge').count()).toBe(1);
    const name = row.locator('.format-name');
    expect(await name.getAttribute('aria-expanded')).toBe('false');
    await name.click();
    const notes = table(page).locator('.format-notes li');
    expect(await notes.allInnerTexts()).toEqual([
      'Reconstructed: <img src=x onerror="window.hacked=1">',
      'F16 cannot hold 3 scales.',
    ]);
    expect(await page.evaluate(() => 'hacked' in window)).toBe(false);
  });

  it('writes infinite and missing measures as such', async () => {
    const odd = withFormat(
      withFormat(report, INT4, {
        summary: { ...report.formats[0].summary, sqnrDb: undefined as never },
      }),
      SYM,
      { summary: { ...report.formats[1].summary, sqnrDb: Infinity, mse: 0 } },
    );
    const { page } = await pages.comparison(doneComparison(odd));
    const sqnr = (id: string) =>
      table(page).locator(`tr[data-format="${id}"] td[data-measure=sqnrDb]`);
    expect(await sqnr(SYM).innerText()).toBe('∞');
    expect(await sqnr(SYM).getAttribute('data-value')).toBe('Infinity');
    expect(await sqnr(INT4).innerText()).toBe('–');
    expect(await sqnr(INT4).getAttribute('data-value')).toBeNull();
  });
});

describePages('the state of a comparison', (pages) => {
  const running = {
    modelName: 'quantscope-sample',
    scope: 'layers.3',
    formats: [INT4, AFP4],
    status: 'running',
    progress: { done: 7, total: 28, message: 'layers.3.mlp.up_proj' },
    secondsLeft: 7.2,
  } as const;

  it('shows progress where the numbers will be, and then the numbers', async () => {
    const { page, host, remote } = await pages.comparison(running);
    const status = page.getByTestId('comparison-status');
    await status.getByText('about 7 s left').waitFor();
    expect(await status.getAttribute('data-status')).toBe('running');
    expect(await status.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('25');
    expect(await formatOrder(page)).toEqual([INT4, AFP4]);
    expect(await table(page).locator('td').first().innerText()).toBe('waiting');
    await status.getByRole('button', { name: 'Cancel' }).click();
    await expect.poll(() => host.calls).toEqual([['cancel', null]]);
    await status.getByText('Cancelling…').waitFor();

    await remote.update({ ...running, status: 'cancelled' });
    await status.getByText('Cancelled at 25 %.').waitFor();
    expect(await table(page).locator('td').first().innerText()).toBe('–');
    await status.getByRole('button', { name: 'Run Again' }).click();
    await expect.poll(() => host.calls.at(-1)).toEqual(['runAgain', null]);

    await remote.update(doneComparison(report));
    await table(page).locator('tbody tr').nth(7).waitFor();
    await waitForCharts(page, 1);
  });

  it('keeps what is known in sight while more formats are compared', async () => {
    const known = { ...report, formats: report.formats.slice(0, 2) };
    const formats = [INT4, SYM, FP4];
    const { page } = await pages.comparison({ ...running, formats, report: known });
    const cell = (id: string) =>
      table(page).locator(`tr[data-format="${id}"] td[data-measure=sqnrDb]`);
    await cell(FP4).getByText('waiting').waitFor();
    for (const { id, summary } of known.formats) {
      expect(await cell(id).getAttribute('data-value')).toBe(String(summary.sqnrDb));
    }
  });

  it('asks for more formats, and lets some go, by mouse and by keyboard', async () => {
    const { page, host, remote } = await pages.comparison(doneComparison(report));
    await page.getByText('Add Formats…').click();
    const row = (id: string) => table(page).locator(`tr[data-format="${id}"]`);
    await row(SYM).hover();
    await row(SYM)
      .getByRole('button', { name: /^Remove / })
      .click();
    await row(FP4).locator('.format-name').focus();
    await page.keyboard.press('Delete');
    await page.keyboard.press('Alt+ArrowUp');
    await page.keyboard.press('Alt+ArrowDown');
    await expect
      .poll(() => host.calls)
      .toEqual([
        ['addFormats', null],
        ['removeFormat', { format: SYM }],
        ['removeFormat', { format: FP4 }],
        ['moveFormat', { format: FP4, to: 1 }],
        ['moveFormat', { format: FP4, to: 3 }],
      ]);
    // The last format stays, and nothing is moved while formats are compared.
    const alone = { ...report, formats: report.formats.slice(0, 1) };
    await remote.update(doneComparison(alone));
    await expect.poll(() => formatOrder(page)).toEqual([INT4]);
    expect(await table(page).locator('.remove-format').count()).toBe(0);
    await remote.update({ ...doneComparison(report), status: 'running' });
    await expect.poll(async () => (await formatOrder(page)).length).toBe(8);
    expect(await table(page).locator('.remove-format').count()).toBe(0);
  });

  it('moves no rows that are sorted', async () => {
    const { page, host } = await pages.comparison(doneComparison(report));
    await table(page).locator('th[data-measure=sqnrDb] button').click();
    await table(page).locator(`tr[data-format="${FP4}"] .format-name`).focus();
    await page.keyboard.press('Alt+ArrowUp');
    await page.keyboard.press('Delete');
    await expect.poll(() => host.calls).toEqual([['removeFormat', { format: FP4 }]]);
  });

  it('shows why a run failed, with Run Again and Copy', async () => {
    const error = 'A worker ended unexpectedly (exit code 134). Other jobs are not affected.';
    const { page, host } = await pages.comparison({ ...running, status: 'failed', error });
    const alert = page.getByRole('alert');
    expect(await alert.locator('.message-text').innerText()).toBe(error);
    await alert.getByRole('button', { name: 'Copy' }).click();
    await alert.getByRole('button', { name: 'Run Again' }).click();
    await expect
      .poll(() => host.calls)
      .toEqual([
        ['copyText', { text: error }],
        ['runAgain', null],
      ]);
  });

  it('lets the numbers leave as CSV, JSON and PNG', async () => {
    const { page, host } = await pages.comparison(doneComparison(report));
    await waitForCharts(page, 1);
    await page.getByText('Copy as CSV').click();
    await page.getByText('Save JSON').click();
    await page.getByRole('button', { name: 'Save PNG' }).click();
    await expect.poll(() => host.calls.length).toBe(3);
    expect(host.calls.slice(0, 2)).toEqual([
      ['copyCsv', null],
      ['saveJson', null],
    ]);
    const { name, png } = host.calls[2][1] as { name: string; png: Uint8Array };
    expect(name).toBe('sqnrDb-by-layer');
    expect([...png.subarray(0, 8)]).toEqual([137, 80, 78, 71, 13, 10, 26, 10]);
    const view = new DataView(png.buffer, png.byteOffset);
    expect(view.getUint32(16)).toBeGreaterThan(1500);
  });
});

/** The report with one format changed. */
function withFormat(
  original: ComparisonReport,
  id: string,
  change: Partial<FormatComparison>,
): ComparisonReport {
  const formats = original.formats.map((format) =>
    format.id === id ? { ...format, ...change } : format,
  );
  return { ...original, formats };
}
