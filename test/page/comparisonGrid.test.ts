import type { Locator, Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { nameLayers } from '../../src/checkpoint/layers.js';
import type { ComparisonReport } from '../../src/reports/reports.js';
import { doneComparison } from './fakeComparisonHost.js';
import { describePages } from './pageSuite.js';
import { sampleComparison } from '../support/sampleComparison.js';
import { chooseOption as choose } from './dropdown.js';
import { waitForCharts, waitForRedraw } from './waits.js';

const report = sampleComparison();
const SQNR = report.formats.map(({ summary }) => summary.sqnrDb);

const grid = (page: Page): Locator => page.getByRole('treegrid');
const rowNames = (page: Page): Promise<string[]> => grid(page).locator('.row-name').allInnerTexts();

describePages('the table by tensor', (pages) => {
  it('sums layers exactly, and opens them into their tensors', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await grid(page).waitFor();
    expect(await rowNames(page)).toEqual([
      'All weights quantized',
      ...['layers.0', 'layers.1', 'layers.2', 'layers.3'],
    ]);
    const values = await grid(page)
      .locator('tr.all td')
      .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value)));
    values.forEach((value, i) => expect(value).toBeCloseTo(SQNR[i], 9));
    // A layer's own comparison is computed from its weights, not from its tensors' results.
    const layer = sampleComparison(128, 'layers.2').formats.map(({ summary }) => summary.sqnrDb);
    const shown = await grid(page)
      .locator('tr[data-layer="layers.2"] td')
      .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value)));
    shown.forEach((value, i) => expect(value).toBeCloseTo(layer[i], 9));

    await grid(page).getByRole('button', { name: 'layers.2' }).click();
    const tensor = grid(page).locator('[data-tensor="model.layers.2.mlp.up_proj.weight"]');
    expect(await tensor.getAttribute('aria-level')).toBe('3');
    const reported = report.formats.map(({ tensors }) =>
      tensors.find(({ name }) => name === 'model.layers.2.mlp.up_proj.weight')!,
    );
    expect(
      await tensor
        .locator('td')
        .evaluateAll((cells) => cells.map((cell) => Number((cell as HTMLElement).dataset.value))),
    ).toEqual(reported.map(({ sqnrDb }) => sqnrDb));
  });

  it('calls layers as the report does, in a model of an encoder and a decoder', async () => {
    const names = ['decoder', 'encoder'].flatMap((side) =>
      [0, 1, 10, 2].flatMap((at) => [
        `model.${side}.layers.${at}.self_attn.q_proj.weight`,
        `model.${side}.layers.${at}.fc1.weight`,
      ]),
    );
    const sides = renamed(report, [...names, 'model.shared.weight', 'lm_head.weight']);
    const { page } = await pages.comparison(doneComparison(sides), {
      state: { expanded: ['encoder.layers.10'] },
    });
    await grid(page).waitFor();
    const shown = await grid(page)
      .locator('tr.layer')
      .evaluateAll((rows) => rows.map((row) => (row as HTMLElement).dataset.layer));
    const inOrder = ['decoder', 'encoder'].flatMap((side) =>
      [0, 1, 2, 10].map((at) => `${side}.layers.${at}`),
    );
    expect(shown).toEqual(inOrder);
    const layers = sides.formats[0].layers.map(({ layer }) => layer);
    expect(new Set(shown)).toEqual(new Set(layers));
    expect(shown).toHaveLength(layers.length);
    expect((await rowNames(page)).slice(-5)).toEqual([
      'encoder.layers.10',
      ...['self_attn.q_proj', 'fc1'],
      ...['lm_head.weight', 'shared.weight'],
    ]);
    // The chart's table names the same layers.
    await page.locator('qs-layer-bars').getByRole('button', { name: 'View as Table' }).click();
    const heads = page.locator('qs-layer-bars tbody th');
    expect(await heads.allInnerTexts()).toEqual([...inOrder, 'lm_head.weight', 'shared.weight']);
  });

  it('shows another measure, all tensors, the worst first, and opens one in its editor', async () => {
    const { page, host } = await pages.comparison(doneComparison(report));
    await grid(page).waitFor();
    await choose(page, '#grid-measure', 'underflow');
    await page.getByRole('radio', { name: 'all tensors' }).click();
    await grid(page).locator('tbody tr').nth(28).waitFor();
    await grid(page).locator('thead').getByRole('button', { name: 'INT3 g128' }).click();
    const worst = [...report.formats[7].tensors].sort(
      (a, b) => b.underflowFraction - a.underflowFraction,
    );
    await expect
      .poll(async () => (await rowNames(page)).slice(0, 3))
      .toEqual(['All weights quantized', worst[0].name, worst[1].name]);
    await grid(page).getByRole('button', { name: worst[0].name }).click();
    await expect.poll(() => host.calls).toEqual([['revealTensor', { tensor: worst[0].name }]]);
  });

  it('is a treegrid for the keyboard', async () => {
    const { page, host } = await pages.comparison(doneComparison(report));
    await grid(page).locator('[data-cell="2:0"]').focus();
    await page.keyboard.press('ArrowRight');
    await grid(page).locator('tr[data-layer="layers.0"][aria-expanded=true]').waitFor();
    await page.keyboard.press('ArrowDown');
    await page.keyboard.press('ArrowRight');
    await page.keyboard.press('ArrowRight');
    const name = () => page.evaluate(() => document.activeElement!.ariaLabel);
    await expect
      .poll(name)
      .toMatch(/^INT4 sym g128, self_attn\.q_proj, 19\.41 dB SQNR, worse than INT4 g128$/);
    await page.keyboard.press('Enter');
    await expect
      .poll(() => host.calls)
      .toEqual([['revealTensor', { tensor: 'model.layers.0.self_attn.q_proj.weight' }]]);
  });

  it('colours differences to the format chosen, by signs in high contrast', async () => {
    const dark = await pages.comparison(doneComparison(report));
    const worse = dark.page.locator('tr.all td.worse');
    await worse.first().waitFor();
    await choose(dark.page, '#grid-reference', 'none');
    await expect.poll(() => dark.page.locator('td.worse, td.better').count()).toBe(0);

    const { page } = await pages.comparison(doneComparison(report), { theme: 'high-contrast' });
    const cell = page.locator('tr.all td.worse').first();
    await cell.waitFor();
    const look = await cell.evaluate((element) => ({
      sign: getComputedStyle(element, '::before').content,
      fill: getComputedStyle(element).backgroundColor,
    }));
    expect(look).toEqual({ sign: '"▼ "', fill: 'rgba(0, 0, 0, 0)' });
  });

  it('renders only what is in view of four thousand tensors in twelve formats', async () => {
    const { page } = await pages.comparison(doneComparison(manyExperts(4_000, 12)));
    await page.getByRole('radio', { name: 'all tensors' }).click();
    await grid(page).locator('[data-cell="1:0"]').waitFor();
    expect(await grid(page).getAttribute('aria-rowcount')).toBe('4002');
    expect(await grid(page).locator('tbody tr').count()).toBeLessThan(100);
    await grid(page).locator('[data-cell="1:0"]').focus();
    await page.keyboard.press('Control+End');
    await expect
      .poll(() => page.evaluate(() => (document.activeElement as HTMLElement).dataset.cell))
      .toBe('4001:12');
    await page.locator('.grid-scroll').evaluate((scroller) => (scroller.scrollTop = 0));
    // The focus follows the view instead of being lost with its row.
    await expect
      .poll(() => page.evaluate(() => document.activeElement?.closest('tr')?.ariaRowIndex ?? ''))
      .toMatch(/^\d{1,2}$/);
    expect(await page.locator('.grid-scroll').evaluate(({ scrollTop }) => scrollTop)).toBe(0);
  });
});

describePages('the chart by layer', (pages) => {
  it('draws each format in each layer, told apart without colour', async () => {
    const { page } = await pages.comparison(doneComparison(report), { theme: 'high-contrast' });
    await waitForCharts(page, 1);
    expect(await page.locator('.chart-plot .bars .point').count()).toBe(8 * 4);
    const looks = await page
      .locator('.series-legend svg')
      .evaluateAll((marks) => marks.map((mark) => mark.innerHTML.replace(/<!--.*?-->/g, '')));
    expect(new Set(looks).size).toBe(8);
    expect(await page.locator('qs-layer-bars').getByRole('slider').getAttribute('aria-label')).toBe(
      'SQNR by layer for 8 formats; over all, ANF4 g128 is best with 20.71 dB',
    );
  });

  it('leaves formats out, changes measure, and reads out a layer', async () => {
    const { page } = await pages.comparison(doneComparison(report));
    await waitForCharts(page, 1);
    const legend = page.getByRole('group', { name: 'Formats shown' });
    await waitForRedraw(page, () => legend.getByRole('button', { name: 'INT3 g128' }).click());
    expect(await page.locator('.chart-plot .bars .point').count()).toBe(7 * 4);
    await waitForRedraw(page, () => choose(page, '#layer-measure', 'MSE'));
    const plot = page.locator('qs-layer-bars').getByRole('slider');
    await plot.focus();
    await page.keyboard.press('End');
    const layer = sampleComparison(128, 'layers.3');
    expect(await plot.getAttribute('aria-valuetext')).toContain(
      `layers.3: INT4 g128 ${(layer.formats[0].summary.mse * 1e5).toFixed(2)}, `,
    );
    await waitForRedraw(page, () => page.getByRole('radio', { name: 'fit' }).click());
    expect(await page.locator('.chart-plot .scatterlayer .point').count()).toBe(7 * 4);
  });

  it('stands tensors side by side when there is one layer, and as a table', async () => {
    const { page } = await pages.comparison(doneComparison(sampleComparison(128, 'layers.1')));
    await waitForCharts(page, 1);
    await page.getByRole('heading', { name: 'By tensor' }).first().waitFor();
    expect(await page.locator('.chart-plot .bars .point').count()).toBe(8 * 7);
    await page.locator('qs-layer-bars').getByRole('button', { name: 'View as Table' }).click();
    const table = page.locator('qs-layer-bars table');
    expect(await table.locator('tbody tr').count()).toBe(7);
    expect(await table.locator('thead th').allInnerTexts()).toEqual([
      'Tensor',
      ...report.formats.map(({ label }) => label),
    ]);
  });
});

/** The sample's measured tensors under the names of a mixture of experts. */
function manyExperts(tensors: number, formats: number): ComparisonReport {
  const names = Array.from(
    { length: tensors },
    (_, t) => `model.layers.${t % 50}.mlp.experts.${Math.floor(t / 50)}.up_proj.weight`,
  );
  const all = Array.from({ length: formats }, (_, f) => {
    const format = report.formats[f % report.formats.length];
    return { ...format, id: `${format.id}+${f}` };
  });
  return renamed({ ...report, formats: all }, names);
}

/** The report's measured tensors, as often as needed, under names that the host splits into layers. */
function renamed(original: ComparisonReport, names: readonly string[]): ComparisonReport {
  const placeOf = nameLayers(names);
  const layers = [...new Set(names.map((name) => placeOf(name).layer))].filter(Boolean);
  return {
    ...original,
    formats: original.formats.map((format) => ({
      ...format,
      tensors: names.map((name, i) => ({
        ...format.tensors[i % format.tensors.length],
        name,
        ...placeOf(name),
      })),
      layers: layers.map((layer, i) => ({ ...format.layers[i % format.layers.length], layer })),
    })),
  };
}
