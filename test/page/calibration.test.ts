import type { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { calibratedComparison } from '../support/calibratedComparison.js';
import { chooseOption } from './dropdown.js';
import { doneComparison } from './fakeComparisonHost.js';
import { describePages } from './pageSuite.js';

const report = calibratedComparison();
const [NEAREST, GPTQ, AWQ, SMOOTH_A8, A8] = report.formats.map(({ id }) => id);

const table = (page: Page): Locator => page.getByTestId('comparison-table');
const shownFormats = (page: Page): Promise<(string | null)[]> =>
  table(page)
    .locator('tbody tr[data-format]')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-format')));
const trait = (page: Page, format: string, name: string): Promise<string> =>
  table(page).locator(`tr[data-format="${format}"] td[data-trait=${name}]`).innerText();

describePages('methods and activations', (pages) => {
  it('are columns of the table, beside the SQNR of outputs', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await table(page).locator('tbody tr[data-format]').nth(4).waitFor();
    expect(await trait(page, NEAREST, 'method')).toBe('nearest');
    expect(await trait(page, GPTQ, 'method')).toBe('GPTQ');
    expect(await trait(page, SMOOTH_A8, 'method')).toBe('SmoothQuant');
    expect(await trait(page, SMOOTH_A8, 'activations')).toBe('A8');
    expect(await trait(page, AWQ, 'activations')).toBe('as they are');
    const cell = table(page).locator(`tr[data-format="${GPTQ}"] td[data-measure=outputSqnrDb]`);
    expect(await cell.getAttribute('data-value')).toBe(
      String(report.formats[1].summary.outputSqnrDb),
    );
    expect(await cell.getAttribute('class')).toContain('best');
    // What is measured in steps is not known of weights that a method chose.
    const steps = table(page).locator(`tr[data-format="${GPTQ}"] td[data-measure=rmseOverStep]`);
    expect(await steps.getAttribute('data-value')).toBeNull();
  });

  it('filter what is shown, in the table, the charts and by tensor', async () => {
    const { page, state } = await pages.comparison(doneComparison(report));
    await table(page).locator('tbody tr[data-format]').nth(4).waitFor();
    await chooseOption(page, '#only-activations', 'A8');
    await expect.poll(() => shownFormats(page)).toEqual([SMOOTH_A8, A8]);
    const series = page.getByRole('group', { name: 'Formats shown', exact: true }).last();
    await expect.poll(() => series.getByRole('button').count()).toBe(2);
    const head = page.getByRole('region', { name: 'By tensor' }).locator('thead');
    await expect.poll(() => head.locator('th').count()).toBe(3);
    expect((await state()) as object).toMatchObject({ traits: { only: { activations: 'A8' } } });
    await chooseOption(page, '#only-method', 'nearest');
    await expect.poll(() => shownFormats(page)).toEqual([A8]);
    await chooseOption(page, '#only-activations', 'all');
    await expect.poll(() => shownFormats(page)).toEqual([NEAREST, A8]);
  });

  it('put rows together', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await chooseOption(page, '#grouped-by', 'method');
    const groups = table(page).locator('.format-group');
    await expect
      .poll(() => groups.allInnerTexts())
      .toEqual(['nearest', 'GPTQ', 'AWQ', 'SmoothQuant']);
    expect(await shownFormats(page)).toEqual([NEAREST, A8, GPTQ, AWQ, SMOOTH_A8]);
    // Cells are reached in the order in which they are drawn.
    await table(page).locator('[data-cell="2:0"]').focus();
    await page.keyboard.press('ArrowDown');
    const focused = await page.evaluate(
      `document.activeElement.closest('tr').getAttribute('data-format')`,
    );
    expect(focused).toBe(A8);
  });

  it('have no controls where nothing is calibrated', async () => {
    const plain = { ...report, formats: report.formats.slice(0, 1), outputErrorText: undefined };
    const { page } = await pages.comparison(doneComparison(plain));
    await table(page).locator('tbody tr[data-format]').first().waitFor();
    expect(await page.locator('.trait-controls').count()).toBe(0);
    expect(await table(page).locator('[data-trait], [data-measure=outputSqnrDb]').count()).toBe(0);
    expect(await page.locator('qs-calibration-section').count()).toBe(0);
  });
});

describePages('what calibration chose', (pages) => {
  const section = (page: Page): Locator =>
    page.getByRole('region', { name: 'What calibration chose' });

  it('is the loss by input of GPTQ, layer by layer', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await section(page).locator('.chart-plot[data-drawn]').waitFor();
    expect(await section(page).locator('.section-head').first().innerText()).toContain(
      '16 windows of 256 tokens of calibration.txt',
    );
    const { findings } = report.formats[1].calibration!;
    const values = page.getByTestId('calibration-values');
    expect(await values.innerText()).toContain('loss');
    await section(page).getByRole('button', { name: 'Table' }).first().click();
    const rows = section(page).locator('table tbody tr');
    await expect
      .poll(() => rows.count())
      .toBe((findings[0].values.lossByInput as readonly number[]).length);
    const before = await values.innerText();
    await chooseOption(page, '#calibrated-layer', 'layers.2: down_proj');
    await expect.poll(() => values.innerText()).not.toBe(before);
  });

  it('is two histograms that move where ranges are balanced', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await chooseOption(page, '#calibrated-format', report.formats[3].label);
    await section(page).locator('.chart-plot[data-drawn]').nth(1).waitFor();
    const headings = section(page).locator('h3, h4').allInnerTexts();
    expect((await headings).join()).toMatch(/Range of inputs.*Range of weights/s);
    expect(await page.getByTestId('calibration-values').innerText()).toMatch(/α\s*0\.5/);
  });

  it('says what was not done, as text', async () => {
    const [first, second, ...others] = report.formats;
    const [finding, ...findings] = second.calibration!.findings;
    const note = '<img src=x onerror=alert(1)>';
    const tensors = ['<b>layer</b>'];
    const calibration = {
      ...second.calibration!,
      text: '/tmp/<i>text</i>.txt',
      findings: [{ ...finding, tensors, notes: [note] }, ...findings],
    };
    const hostile = { ...report, formats: [first, { ...second, calibration }, ...others] };
    const { page } = await pages.comparison(doneComparison(hostile));
    await section(page).getByText(note).waitFor();
    expect(await section(page).locator('img, b, i').count()).toBe(0);
  });

  it('shows how far a calibration has come, and goes on with it', async () => {
    const running = {
      ...doneComparison({ ...report, formats: report.formats.slice(0, 1) }),
      formats: report.formats.map(({ id }) => id),
      status: 'running' as const,
      phase: 'calibration' as const,
      progress: { done: 1, total: 4, message: 'block 2 of 4' },
    };
    const { page, remote, host } = await pages.comparison(running);
    const status = page.getByTestId('comparison-status');
    await status.getByText('Calibrating').waitFor();
    await expect.poll(() => shownFormats(page)).toEqual([NEAREST, GPTQ, AWQ, SMOOTH_A8, A8]);
    const waiting = table(page).locator(`tr[data-format="${GPTQ}"] td[data-measure=sqnrDb]`);
    expect(await waiting.innerText()).toBe('waiting');
    await remote.update({ ...running, status: 'cancelled' });
    await status.getByText('Calibration cancelled at 25 %. Finished layers are kept.').waitFor();
    await status.getByRole('button', { name: 'Resume' }).click();
    await expect.poll(() => host.calls.map(([name]) => name)).toContain('runAgain');
  });
});

describePages('the length of calibration windows', (pages) => {
  it('is a curve where formats differ in it alone', async () => {
    const [nearest, gptq] = report.formats;
    const lengths = [16, 64, 256].map((context, i) => ({
      ...gptq,
      id: `int3-asym:g128+gptq:context=${context}`,
      perplexity: { ...gptq.perplexity!, value: 30 - i },
      calibration: { ...gptq.calibration!, context },
    }));
    const { page } = await pages.comparison(
      doneComparison({ ...report, formats: [nearest, lengths[2], lengths[0], lengths[1]] }),
    );
    const chart = page.getByRole('region', { name: 'Calibration length' });
    await chart.locator('.chart-plot[data-drawn]').waitFor();
    await chart.getByRole('button', { name: 'View as Table' }).click();
    const cells = chart.locator('table tr').allInnerTexts();
    expect((await cells).map((line) => line.split('\t').map((cell) => cell.trim()))).toEqual([
      ['Format', '16 tokens', '64 tokens', '256 tokens'],
      ['int3-asym:g128+gptq', '30.00', '29.00', '28.00'],
    ]);
  });

  it('is no chart where there are not several', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await table(page).locator('tbody tr[data-format]').first().waitFor();
    expect(await page.getByRole('region', { name: 'Calibration length' }).count()).toBe(0);
  });
});
