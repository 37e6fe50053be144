import type { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { doneComparison } from './fakeComparisonHost.js';
import { describePages } from './pageSuite.js';
import { sampleComparison } from '../support/sampleComparison.js';
import { withSamplePerplexity } from '../support/samplePerplexity.js';
import { waitForCharts } from './waits.js';

const weights = sampleComparison();
const report = withSamplePerplexity(weights);
const [INT4, SYM, FP4, AFP4, NF4, ANF4, DINT4, INT3] = report.formats.map(({ id }) => id);

const table = (page: Page): Locator => page.getByTestId('comparison-table');
const cell = (page: Page, format: string, measure: string): Locator =>
  table(page).locator(`tr[data-format="${format}"] td[data-measure=${measure}]`);
const formatOrder = (page: Page): Promise<(string | null)[]> =>
  table(page)
    .locator('tbody tr[data-format]')
    .evaluateAll((rows) => rows.map((row) => row.getAttribute('data-format')));

describePages('perplexity in the comparison table', (pages) => {
  it('stands first, under the unquantized model, in full precision', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    const baseline = table(page).locator('tbody tr').first();
    expect(await baseline.getAttribute('data-baseline')).not.toBeNull();
    expect((await baseline.innerText()).replace(/\s+/g, ' ')).toContain(
      'unquantized BF16 16.000 6,144 27.57 reference',
    );
    for (const { id, perplexity } of report.formats) {
      const shown = await table(page)
        .locator(`tr[data-format="${id}"] td`)
        .evaluateAll((cells) =>
          cells.map(({ dataset }) => [dataset.measure, dataset.value] as const),
        );
      const values = Object.fromEntries(shown);
      expect(Number(values.perplexity)).toBe(perplexity!.value);
      expect(Number(values.perplexityDelta)).toBe(perplexity!.deltaVsBaseline);
      expect(Number(values.klDivergence)).toBe(perplexity!.klDivergence);
      expect(Number(values.topTokenAgreement)).toBe(perplexity!.topTokenAgreement);
    }
    expect(await cell(page, AFP4, 'perplexity').innerText()).toBe('27.94');
    expect(await cell(page, AFP4, 'perplexityDelta').innerText()).toBe('+0.37 ± 0.03');
    expect(await cell(page, AFP4, 'klDivergence').innerText()).toBe('18.4');
    expect(await cell(page, AFP4, 'topTokenAgreement').innerText()).toBe('90.3');
    const kl = table(page).locator('th[data-measure=klDivergence] .note');
    expect(await kl.innerText()).toBe('10⁻³ nats');
  });

  it('says what was measured on, and what to know of it, as text', async () => {
    const { page } = await pages.comparison({ ...doneComparison(report), scaleDtype: 'f16' });
    const text = page.getByTestId('perplexity-text');
    expect((await text.innerText()).replace(/\s+/g, ' ')).toContain(
      'Perplexity on eval.txt · one stream · 170 windows of 256 tokens · 43,350 of 43,547 tokens scored · scales in F16',
    );
    expect(await text.locator('li').allInnerTexts()).toEqual([
      'A note on <b>all</b> perplexities.',
    ]);
  });

  it('lets one choose whether windows begin with BOS, and says what they did', async () => {
    const every = { ...report, text: { ...report.text!, bos: 'every' as const } };
    const state = doneComparison(every);
    const { page, host, remote } = await pages.comparison({ ...state, bos: 'every' });
    const group = page.getByRole('radiogroup', { name: 'Windows begin with BOS' });
    const checked = () => group.getByRole('radio', { checked: true }).innerText();
    expect(await checked()).toBe('every one');
    expect(await page.getByTestId('perplexity-text').innerText()).toContain(
      'BOS begins every window',
    );
    await group.getByRole('radio', { checked: true }).focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(() => host.calls).toEqual([['chooseBos', { bos: 'tokenizer' }]]);
    // The host has the last word: it is what measures.
    await remote.update({ ...state, bos: 'tokenizer' });
    await expect.poll(checked).toBe('as tokenized');
    const { page: plain } = await pages.comparison(doneComparison(report));
    const radios = plain.getByRole('radiogroup', { name: 'Windows begin with BOS' });
    expect(await radios.getByRole('radio', { checked: true }).innerText()).toBe('by family');
  });

  it('shows notes on all numbers where no perplexity was measured, too', async () => {
    const note = 'Two shards are missing: <i>all</i> numbers are of the others.';
    const ofModel = '<b>config.json</b> is cut off';
    const model = { ...weights.model, notes: [ofModel] };
    const { page } = await pages.comparison(doneComparison({ ...weights, model, notes: [note] }));
    await table(page).waitFor();
    const shown = page.getByTestId('report-notes').locator('li');
    expect(await shown.allInnerTexts()).toEqual([ofModel, note]);
    expect(await page.getByTestId('perplexity-text').count()).toBe(0);
    const { page: none } = await pages.comparison(doneComparison(weights));
    await table(none).waitFor();
    expect(await none.getByTestId('report-notes').count()).toBe(0);
  });

  it('words what is within noise, ranks nothing of it, and marks what cannot be told apart', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    const noise = cell(page, DINT4, 'perplexityDelta');
    expect(await noise.innerText()).toBe('within noise');
    expect(await noise.getAttribute('aria-label')).toContain('within noise, +0.02 ± 0.03');
    // The lowest is within noise of the unquantized model: nobody is the best.
    expect(await table(page).locator('td.best[data-measure=perplexity]').count()).toBe(0);

    const clear = withSamplePerplexity(weights, { dint4: [0.36, 0.03, 0.0172, 0.903] });
    const { page: other } = await pages.comparison(doneComparison(clear));
    const best = table(other).locator('td.best[data-measure=perplexity]');
    await best.waitFor();
    expect(await best.evaluate((td) => td.closest('tr')!.dataset.format)).toBe(ANF4);
    const tied = await table(other)
      .locator('tr:has(.tied)')
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.format));
    expect(tied).toEqual([NF4]);
    expect(await cell(other, NF4, 'perplexity').getAttribute('aria-label')).toContain(
      'cannot be told apart from the best',
    );
  });

  it('gives no error and no rank to a single window', async () => {
    const changes = Object.fromEntries(
      report.formats.map(({ id, perplexity }) => {
        const { deltaVsBaseline, klDivergence, topTokenAgreement } = perplexity!;
        const row = [deltaVsBaseline, null, klDivergence!, topTokenAgreement!] as const;
        return [id.split(':')[0], row];
      }),
    );
    const { page } = await pages.comparison(doneComparison(withSamplePerplexity(weights, changes)));
    expect(await cell(page, INT3, 'perplexityDelta').innerText()).toBe('+2.14');
    expect(await table(page).locator('td.best[data-measure=perplexity], .tied').count()).toBe(0);
  });

  it('sorts by perplexity, the unquantized model staying first', async () => {
    const { page, state } = await pages.comparison(doneComparison(report));
    const head = table(page).locator('th[data-measure=perplexity]');
    await head.getByRole('button').click();
    const ascending = [DINT4, ANF4, NF4, AFP4, INT4, FP4, SYM, INT3];
    await expect.poll(() => formatOrder(page)).toEqual(ascending);
    expect(await head.getAttribute('aria-sort')).toBe('ascending');
    expect(state()).toMatchObject({ sorting: { column: 'perplexity', direction: 'ascending' } });
    await head.getByRole('button').press('Enter');
    await expect.poll(async () => (await formatOrder(page))[0]).toBe(INT3);
    expect(await table(page).locator('tbody tr').first().getAttribute('data-baseline')).toBe('');
  });

  it('is walked by arrow keys, the unquantized row included', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await table(page).locator('[data-cell][tabindex="0"]').focus();
    for (const key of ['ArrowDown', 'ArrowRight', 'ArrowRight', 'ArrowRight'])
      await page.keyboard.press(key);
    const name = () => page.evaluate(() => document.activeElement!.ariaLabel);
    await expect.poll(name).toBe('unquantized, 27.57  perplexity');
    await page.keyboard.press('ArrowDown');
    await expect.poll(name).toMatch(/^INT4 g128, 27\.96 {2}perplexity/);
  });

  it('shows the unquantized model alone', async () => {
    const alone = { ...report, formats: [] };
    const { page } = await pages.comparison(doneComparison(alone));
    await page.getByRole('heading', { name: 'Unquantized model' }).waitFor();
    expect(await table(page).locator('tbody tr').count()).toBe(1);
    expect(await table(page).locator('th[data-measure=sqnrDb]').count()).toBe(0);
  });
});

describePages('measuring perplexity from the page', (pages) => {
  it('is a button that the keyboard reaches, and waits while a job runs', async () => {
    const { page, host, remote } = await pages.comparison(doneComparison(weights));
    const button = page.getByRole('button', { name: 'Measure Perplexity…' });
    await button.waitFor();
    for (let tabs = 0; !(await button.evaluate((it) => it.matches(':focus-within'))); tabs++) {
      expect(tabs).toBeLessThan(12);
      await page.keyboard.press('Tab');
    }
    await page.keyboard.press('Enter');
    await expect.poll(() => host.calls).toEqual([['measurePerplexity', {}]]);

    await remote.update({
      ...doneComparison(weights),
      status: 'running',
      phase: 'perplexity',
      measuresPerplexity: true,
      progress: { done: 1, total: 10, message: 'block 3 of 22, windows 1–8 of 64' },
      secondsLeft: 42,
    });
    const status = page.getByTestId('comparison-status');
    await status.getByText('block 3 of 22, windows 1–8 of 64').waitFor();
    await status.getByText('about 42 s left').waitFor();
    expect(await status.getByRole('progressbar').getAttribute('aria-label')).toBe(
      'Measuring perplexity',
    );
    expect(await button.isDisabled()).toBe(true);
    // Weight errors stay in sight, perplexities are waited for.
    expect(await cell(page, INT4, 'perplexity').innerText()).toBe('waiting');
    expect(await cell(page, INT4, 'sqnrDb').innerText()).toBe('19.92');
  });

  it('says that it was cancelled, and resumes', async () => {
    const { page, host } = await pages.comparison({
      ...doneComparison(weights),
      status: 'cancelled',
      phase: 'perplexity',
      measuresPerplexity: true,
      progress: { done: 3, total: 10 },
    });
    const status = page.getByTestId('comparison-status');
    await status.getByText('Perplexity cancelled at 30 %. What was scored is kept.').waitFor();
    await status.getByRole('button', { name: 'Resume' }).click();
    await expect.poll(() => host.calls).toEqual([['runAgain', null]]);
  });

  it('says in one line why a model cannot be run, beside its weight errors', async () => {
    const error = 'm/config.json: model_type "bloom" is not an architecture that can be run';
    const { page } = await pages.comparison({
      ...doneComparison(weights),
      status: 'failed',
      phase: 'perplexity',
      measuresPerplexity: true,
      error,
    });
    expect(await page.getByRole('alert').locator('.message-text').innerText()).toBe(error);
    expect(await cell(page, INT4, 'sqnrDb').innerText()).toBe('19.92');
  });
});

/** A drag of what `fill` puts into it, up to and including `last`. */
async function drag(
  page: Page,
  what: { readonly uris?: string; readonly files?: readonly { name: string; size?: number }[] },
  last: 'dragenter' | 'drop',
): Promise<void> {
  await page.evaluate(
    ({ what, last }) => {
      const dataTransfer = new DataTransfer();
      if (what.uris) dataTransfer.setData('application/vnd.code.uri-list', what.uris);
      for (const { name, size } of what.files ?? []) {
        const content = size ? new Uint8Array(size) : 'Four score and seven years ago';
        dataTransfer.items.add(new File([content], name, { type: 'text/plain' }));
      }
      const target = document.querySelector('qs-comparison-page h1')!;
      for (const type of ['dragenter', 'dragover', 'drop']) {
        target.dispatchEvent(
          new DragEvent(type, { dataTransfer, bubbles: true, cancelable: true }),
        );
        if (type === last) break;
      }
    },
    { what, last },
  );
}

describePages('a text dropped on the page', (pages) => {
  it('is where it is measured on: by address from VS Code', async () => {
    const { page, host } = await pages.comparison(doneComparison(weights));
    await table(page).waitFor();
    const hint = page.getByText('Drop a text file to measure perplexity on it');
    await drag(page, { uris: 'file:///texts/wiki.txt' }, 'dragenter');
    await hint.waitFor();
    await drag(page, { uris: 'file:///texts/wiki.txt' }, 'drop');
    await hint.waitFor({ state: 'detached' });
    await expect
      .poll(() => host.calls)
      .toEqual([['measurePerplexity', { text: { uri: 'file:///texts/wiki.txt' } }]]);
  });

  it('is sent as text from the operating system, which gives no path', async () => {
    const { page, host } = await pages.comparison(doneComparison(weights));
    await table(page).waitFor();
    await drag(page, { files: [{ name: 'speech.txt' }] }, 'drop');
    await expect
      .poll(() => host.calls)
      .toEqual([
        [
          'measurePerplexity',
          { text: { name: 'speech.txt', content: 'Four score and seven years ago' } },
        ],
      ]);
  });

  it('is refused, with the reason, when it is two texts or too long', async () => {
    const { page, host } = await pages.comparison(doneComparison(weights));
    await table(page).waitFor();
    await drag(page, { uris: 'file:///a.txt\r\nfile:///b.txt' }, 'drop');
    await page.getByText('Drop one text file: perplexity is measured on one text.').waitFor();
    await drag(page, { files: [{ name: 'long.txt', size: 8 * 1024 * 1024 + 1 }] }, 'drop');
    await page.getByText(/^long\.txt is larger than 8 MB/).waitFor();
    await page.getByRole('button', { name: 'Dismiss' }).click();
    await page.getByText(/^long\.txt/).waitFor({ state: 'detached' });
    expect(host.calls).toEqual([]);
  });

  it('is not taken while a job runs', async () => {
    const { page, host } = await pages.comparison({
      ...doneComparison(weights),
      status: 'running',
    });
    await table(page).waitFor();
    await drag(page, { uris: 'file:///texts/wiki.txt' }, 'dragenter');
    await drag(page, { uris: 'file:///texts/wiki.txt' }, 'drop');
    expect(await page.locator('.drop-hint').count()).toBe(0);
    expect(host.calls).toEqual([]);
  });
});

describePages('the perplexity delta by tensor', (pages) => {
  const alone = withSamplePerplexity(weights, {}, true);
  const grid = (page: Page): Locator => page.getByRole('treegrid');
  const down = 'model.layers.0.mlp.down_proj.weight';

  it('is a measure where tensors were run one by one, with noise as a dot and sums in italics', async () => {
    const state = { gridMeasure: 'perplexityDelta', expanded: ['layers.0'] };
    const { page } = await pages.comparison(doneComparison(alone), { state });
    await grid(page).waitFor();
    const int3 = alone.formats[7];
    const at = (name: string) => int3.tensors.findIndex((tensor) => tensor.name === name);
    const cells = (row: string) => grid(page).locator(`${row} td[data-format="${INT3}"]`);
    const shown = int3.tensors[at(down)].perplexityAlone!;
    const tensor = cells(`tr[data-tensor="${down}"]`);
    expect(Number(await tensor.getAttribute('data-value'))).toBe(shown.deltaVsBaseline);
    const noisy = int3.tensors.find(
      ({ name, perplexityAlone }) =>
        name.includes('layers.0.') && perplexityAlone!.deltaStandardError === 1,
    )!;
    const noise = cells(`tr[data-tensor="${noisy.name}"]`);
    expect(await noise.innerText()).toBe('·');
    expect(await noise.getAttribute('aria-label')).toContain('within noise');
    expect(await noise.getAttribute('class')).not.toContain('shade');
    const layer = cells('tr[data-layer="layers.0"]');
    const sum = int3.tensors
      .filter(({ name }) => name.includes('layers.0.'))
      .reduce((total, { perplexityAlone }) => total + perplexityAlone!.deltaVsBaseline, 0);
    expect(Number(await layer.getAttribute('data-value'))).toBeCloseTo(sum, 12);
    expect(await layer.evaluate((td) => getComputedStyle(td).fontStyle)).toBe('italic');
    expect(Number(await cells('tr.all').getAttribute('data-value'))).toBeCloseTo(2.14, 12);
    expect(await page.locator('.delta-sums').innerText()).toMatch(
      /INT3 g128: 28 tensors one by one add up to \+2\.17; together they measure \+2\.14 ± 0\.06\./,
    );
  });

  it('has KL divergences of tensors alone, and their sums by layer', async () => {
    const state = { gridMeasure: 'klDivergence', expanded: ['layers.0'] };
    const { page } = await pages.comparison(doneComparison(alone), { state });
    await grid(page).waitFor();
    const int3 = alone.formats[7];
    const cells = (row: string) => grid(page).locator(`${row} td[data-format="${INT3}"]`);
    const ofLayer = int3.tensors.filter(({ name }) => name.includes('layers.0.'));
    for (const { name, perplexityAlone } of ofLayer) {
      const shown = await cells(`tr[data-tensor="${name}"]`).getAttribute('data-value');
      expect(Number(shown)).toBe(perplexityAlone!.klDivergence);
    }
    const layer = cells('tr[data-layer="layers.0"]');
    const sum = ofLayer.reduce((total, each) => total + each.perplexityAlone!.klDivergence!, 0);
    expect(Number(await layer.getAttribute('data-value'))).toBeCloseTo(sum, 12);
    expect(await layer.evaluate((td) => getComputedStyle(td).fontStyle)).toBe('italic');
    expect(Number(await cells('tr.all').getAttribute('data-value'))).toBe(
      int3.perplexity!.klDivergence,
    );
    expect(await page.locator('.grid-legend').innerText()).toContain('sum of single tensors');
  });

  it('is not offered where they were not', async () => {
    const state = { gridMeasure: 'perplexityDelta' };
    const { page } = await pages.comparison(doneComparison(report), { state });
    await grid(page).waitFor();
    expect(await grid(page).getAttribute('aria-label')).toBe('SQNR by tensor');
    const options = page.locator('#grid-measure vscode-option');
    expect(await options.allTextContents()).not.toContain('perplexity delta');
    expect(await options.allTextContents()).not.toContain('KL divergence alone');
  });
});

describePages('perplexity against size', (pages) => {
  const chart = (page: Page): Locator => page.locator('qs-pareto-chart');

  it('names what nothing beats in bits and perplexity, reads out, and is a table', async () => {
    const { page, state } = await pages.comparison(doneComparison(report));
    await waitForCharts(page, 2);
    const slider = chart(page).getByRole('slider');
    expect(await slider.getAttribute('aria-label')).toContain(
      'fewest bits for their perplexity: INT3 g128, NF4 g128, dINT4 g128',
    );
    await slider.focus();
    await page.keyboard.press('Home');
    const readout = chart(page).locator('.chart-readout');
    await expect
      .poll(() => readout.innerText())
      .toBe('3.148 bits per weight: INT3 g128 29.71, +2.14 ± 0.06');
    await chart(page).getByRole('button', { name: 'View as Table' }).click();
    const rows = chart(page).locator('tbody tr');
    expect(await rows.count()).toBe(8);
    const dint = rows.filter({ hasText: 'dINT4' });
    expect((await dint.innerText()).replace(/\s+/g, ' ')).toBe(
      'dINT4 g128 4.156 27.59 +0.02 ± 0.03 (within noise) yes',
    );
    expect(state()).toMatchObject({ paretoAsTable: true });
  });

  it.each([
    ['by ratio', { 'int3-asym': [2.14, 2, 0.09, 0.8], dint4: [0.2, 0.03, 0.02, 0.9] }, true],
    ['evenly, down to less than zero', { dint4: [0.05, 0.1, 0.02, 0.9] }, false],
  ] as const)('shows standard errors to their ends, %s', async (_, changes, byRatio) => {
    const changed = withSamplePerplexity(weights, changes);
    const { page } = await pages.comparison(doneComparison(changed));
    await waitForCharts(page, 2);
    const ticks = await chart(page).locator('.ytick text').allTextContents();
    expect(ticks.every((tick) => tick.startsWith('+'))).toBe(byRatio);
    const area = (await chart(page).locator('.bglayer .bg').boundingBox())!;
    const bars = await chart(page).locator('path.yerror').all();
    expect(bars.length).toBe(8);
    for (const bar of bars) {
      const { y, height } = (await bar.boundingBox())!;
      expect(y).toBeGreaterThanOrEqual(area.y);
      expect(y + height).toBeLessThanOrEqual(area.y + area.height);
    }
  });

  it('is not drawn without perplexities', async () => {
    const { page } = await pages.comparison(doneComparison(weights));
    await waitForCharts(page, 1);
    expect(await chart(page).count()).toBe(0);
  });
});
