import { fileURLToPath } from 'node:url';
import type { Page } from 'playwright-core';
import { expect, it } from 'vitest';
import { describeModel } from '../../src/jobs/inspection/describeModel.js';
import type { GroupRanges, Histogram, TensorStatistics } from '../../src/metrics/types.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import type { CallContext } from '../../src/rpc/rpc.js';
import { makeCancelledError } from '../../src/rpc/rpc.js';
import { describeLayers } from '../../src/jobs/inspection/describeLayers.js';
import { fakeEditorHost } from './fakeEditorHost.js';
import { describePages } from './pageSuite.js';
import { sampleCheckpoint, sampleWeights } from '../support/sampleModel.js';
import { sampleDetails, sampleGroupRanges } from '../support/sampleStatistics.js';
import { waitForCharts, waitForRedraw } from './waits.js';

const DOWN = 'model.layers.0.mlp.down_proj.weight';
const GPT2 = fileURLToPath(new URL('../fixtures/golden-models/gpt2', import.meta.url));
const NORM = 'model.layers.0.input_layernorm.weight';
const selected = (name: string, kind = 'tensor') => ({
  state: { selected: { kind, name }, expanded: ['layers.0'] },
});

/** The statistics shown, by label, in full precision. */
const shownStatistics = (page: Page): Promise<Record<string, string>> =>
  page
    .locator('.stat')
    .evaluateAll((stats) =>
      Object.fromEntries(
        stats.map((stat) => [
          stat.querySelector('dt')!.textContent,
          stat.querySelector('dd')!.title,
        ]),
      ),
    );

const chart = (page: Page, heading: string) =>
  page.locator('qs-chart-frame', { has: page.getByRole('heading', { name: heading }) });

describePages('the details of a tensor', (pages) => {
  it('are the statistics and the histogram of all its weights', async () => {
    const { page } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    const details = page.getByTestId('details');
    expect(await details.locator('.details-facts').innerText()).toBe(
      'BF16 · 256 × 768 (out × in) · 196,608 weights · 393,216 B at offset 2,232,832 · model.safetensors',
    );
    const weights = sampleWeights(DOWN);
    const shown = await shownStatistics(page);
    expect(Number(shown.min)).toBe(weights.reduce((least, w) => Math.min(least, w)));
    expect(Number(shown.max)).toBe(weights.reduce((most, w) => Math.max(most, w)));
    expect(Number(shown.mean)).toBeCloseTo(weights.reduce((sum, w) => sum + w, 0) / 196_608, 12);
    expect(await page.locator('.stat', { hasText: 'min' }).innerText()).toMatch(/−0\.4395/);

    const histogram = chart(page, 'Histogram');
    await histogram.getByRole('button', { name: 'View as Table' }).click();
    const counts = await histogram
      .locator('tbody td:last-child')
      .evaluateAll((cells) => cells.map((cell) => Number(cell.textContent.replaceAll(',', ''))));
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(196_608);
  });

  it('name each chart by its finding and read it out by arrow keys', async () => {
    const { page } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    const plot = chart(page, 'Histogram').getByRole('slider');
    expect(await plot.getAttribute('aria-label')).toBe(
      'Histogram of 196,608 weights from −0.4395 to 0.4297, 98 % between −0.1367 and 0.1348',
    );
    await plot.focus();
    await page.keyboard.press('Home');
    const { histogram } = sampleDetails(DOWN, 256);
    const first = await plot.getAttribute('aria-valuetext');
    expect(first).toContain(`: ${histogram.counts[0]} weight`);
    expect(await chart(page, 'Histogram').locator('.chart-readout').innerText()).toBe(first);
    await page.keyboard.press('End');
    expect(await plot.getAttribute('aria-valuenow')).toBe(String(histogram.counts.length - 1));
  });

  it('change between logarithmic and linear counts', async () => {
    const { page, state } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    const histogram = chart(page, 'Histogram');
    const labels = (): Promise<string[]> => histogram.locator('.ytick text').allTextContents();
    expect(await labels()).toEqual(['1', '10', '100', '1,000']);
    await histogram.getByRole('radio', { name: 'log' }).focus();
    await page.keyboard.press('ArrowRight');
    await expect.poll(labels).toContain('2,000');
    expect(state()).toMatchObject({ view: { countScale: 'linear' } });
  });

  it('zoom into group ranges by drag and by keys, asking for finer columns', async () => {
    const { page, host } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    expect(host.ranges).toEqual([{ tensor: DOWN, groupSize: 128, maxColumns: 320 }]);
    const bands = chart(page, 'Group ranges');
    const plot = bands.getByRole('slider');
    await plot.scrollIntoViewIfNeeded();
    const { x, y, width, height } = (await plot.boundingBox())!;
    const [left, right] = [x + width * 0.4, x + width * 0.5];
    await page.mouse.move(left, y + height / 2);
    await page.mouse.down();
    await page.mouse.move(right, y + height / 2, { steps: 4 });
    await page.mouse.up();
    await expect.poll(() => host.ranges.length).toBe(2);
    const zoomed = host.ranges[1];
    // The plot's inside is narrower than its box, so a tenth of the box is more than 1536/10 groups.
    expect(zoomed.shownGroups).toBeGreaterThan(150);
    expect(zoomed.shownGroups).toBeLessThan(230);
    expect(zoomed.firstGroup).toBeGreaterThan(500);
    expect(zoomed.firstGroup).toBeLessThan(620);
    await bands.getByText('each bar is one group').waitFor();

    await page.mouse.dblclick(left, y + height / 2);
    await expect.poll(() => host.ranges.at(-1)).toEqual(host.ranges[0]);
    await bands.getByText('column ≈ 5 groups').waitFor();
    await page.mouse.move(0, 0);
    await plot.focus();
    await page.keyboard.press('+');
    await expect
      .poll(() => host.ranges.at(-1))
      .toMatchObject({ firstGroup: 384, shownGroups: 768 });
    await bands.getByRole('button', { name: 'Reset' }).click();
    await expect.poll(() => host.ranges.at(-1)).toEqual(host.ranges[0]);
  });

  it('read out which groups a column of the chart stands for', async () => {
    const { page } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    const plot = chart(page, 'Group ranges').getByRole('slider');
    await plot.focus();
    await page.keyboard.press('Home');
    const { columns } = sampleGroupRanges({ tensor: DOWN, groupSize: 128, maxColumns: 320 });
    const first = columns[0];
    expect(await plot.getAttribute('aria-valuetext')).toBe(
      `groups 0–${first.groups - 1} (row 0, columns 0–511): positive median +` +
        `${first.positive[2].toFixed(4)}, up to +${first.positive[4].toFixed(4)}; ` +
        `negative median −${first.negative[2].toFixed(4)}, down to −${first.negative[4].toFixed(4)}`,
    );
  });

  it('take the group size chosen, usual or not, and keep it', async () => {
    const { page, host } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    const field = page.locator('#group-size');
    await field.click();
    await field.getByRole('option', { name: '32' }).click();
    await expect.poll(() => host.ranges.at(-1)).toMatchObject({ groupSize: 32 });
    await field.click();
    await field.getByRole('option', { name: 'other…' }).click();
    const number = page.getByRole('spinbutton', { name: 'Weights per group' });
    await number.fill('48');
    await number.press('Enter');
    await expect.poll(() => host.ranges.at(-1)).toMatchObject({ groupSize: 48 });
    await page.getByText('4,096 groups of 48').waitFor();
    expect(host.calls.filter(([name]) => name === 'setGroupSize')).toEqual([
      ['setGroupSize', { groupSize: 32 }],
      ['setGroupSize', { groupSize: 48 }],
    ]);
  });

  it('say which way round weights are stored, and place groups in what is stored', async () => {
    const model = describeModel(await openLocalModel(GPT2));
    const name = 'transformer.h.0.mlp.c_fc.weight';
    const range = [0.1, 0.1, 0.1, 0.1, 0.1] as const;
    const ranges: GroupRanges = {
      groupSize: 16,
      groupsPerRow: 2,
      groupCount: 256,
      firstGroup: 0,
      shownGroups: 256,
      columns: Array.from({ length: 256 }, (_, firstGroup) => ({
        firstGroup,
        groups: 1,
        positive: range,
        negative: range,
      })),
      asymmetry: {
        mean: 0.01,
        p50: -0.02,
        p95: 0.3,
        absolute: { p50: 0.1, p95: 0.4 },
        histogram: [1, 2, 1, 0],
      },
    };
    const host = fakeEditorHost(model, {
      tensorDetails: async ({ bins }) => sampleDetails(DOWN, bins),
      groupRanges: async () => ranges,
    });
    const { page } = await pages.editor(host, { state: { selected: { kind: 'tensor', name } } });
    await waitForCharts(page, 3);
    const facts = page.getByTestId('details').locator('.details-facts');
    expect(await facts.innerText()).toContain('F32 · 32 × 128 (in × out) · 4,096 weights');
    const plot = chart(page, 'Group ranges').getByRole('slider');
    await plot.focus();
    await page.keyboard.press('End');
    expect(await plot.getAttribute('aria-valuetext')).toContain('(column 127, rows 16–31)');
    await page
      .getByText(
        '|asymmetry| p50 0.100, p95 0.400 (dotted); with sign: mean +0.010, p50 −0.020, p95 +0.300',
      )
      .waitFor();
  });

  it('of a one-dimensional tensor are complete, with one row of groups', async () => {
    const { page, host } = await pages.editor(fakeEditorHost(), selected(NORM));
    await waitForCharts(page, 3);
    await page.getByText('2 groups of 128').waitFor();
    const quantize = page.getByTestId('details').getByText('Quantize Layer…');
    await quantize.click({ force: true });
    expect(host.calls).toEqual([]);
    await page.getByText('not quantizable: one-dimensional').waitFor();
  });

  it('say why a tensor is left alone by default', async () => {
    const tensors = sampleCheckpoint.tensors.map((tensor) =>
      tensor.name === DOWN
        ? { ...tensor, quantizedByDefault: false, notByDefault: '3 dimensions' }
        : tensor,
    );
    const host = fakeEditorHost({
      ...sampleCheckpoint,
      tensors,
      layers: describeLayers(tensors),
    });
    const { page } = await pages.editor(host, selected('layers.0', 'layer'));
    const decisions = page.getByTestId('details').locator('tbody td:last-child');
    await decisions.nth(8).waitFor();
    const counts = new Map<string, number>();
    for (const text of await decisions.allInnerTexts()) {
      counts.set(text, (counts.get(text) ?? 0) + 1);
    }
    expect(Object.fromEntries(counts)).toEqual({
      yes: 6,
      '3 dimensions': 1,
      'one-dimensional': 2,
    });
    await page.getByText('9 tensors · 786,944 weights · 1.50 MB · 6 tensors').waitFor();
    await page.locator('[data-tensor="model.embed_tokens.weight"]').click();
    await page.getByText('not quantized by default: an embedding').waitFor();
  });

  it('start quantizing what is selected', async () => {
    const { page, host } = await pages.editor(fakeEditorHost(), selected(DOWN));
    const details = page.getByTestId('details');
    await details.getByText('Quantize Layer…').click();
    await page.locator('[data-layer="layers.1"]').click();
    await details.getByText('9 tensors').waitFor();
    expect(await details.locator('tbody tr').count()).toBe(9);
    await details.getByText('Quantize Layer…').click();
    const projections = sampleCheckpoint.tensors.flatMap(({ name, layer }) =>
      layer === 'layers.1' && name.includes('_proj') ? [name] : [],
    );
    await expect
      .poll(() => host.calls)
      .toEqual([
        ['quantizeLayer', { tensors: [DOWN], label: 'layers.0.mlp.down_proj.weight' }],
        ['quantizeLayer', { tensors: projections, label: 'layers.1' }],
      ]);
    await details.getByRole('button', { name: 'mlp.up_proj' }).click();
    await page.locator('[data-tensor="model.layers.1.mlp.up_proj.weight"].selected').waitFor();
  });

  it('show progress with Cancel while weights are read, and Retry after it', async () => {
    let reads = 0;
    const slow = (
      { tensor, bins }: { tensor: string; bins: number },
      { signal, progress }: CallContext,
    ) =>
      new Promise<ReturnType<typeof sampleDetails>>((resolve, reject) => {
        if (++reads > 1) resolve(sampleDetails(tensor, bins));
        progress({ done: 30, total: 100, message: 'Reading 30 of 100 MB' });
        signal.addEventListener('abort', () => reject(makeCancelledError()));
      });
    const { page } = await pages.editor(
      fakeEditorHost(sampleCheckpoint, { tensorDetails: slow }),
      selected(DOWN),
    );
    const strip = page.locator('qs-progress-strip');
    await strip.getByText('Reading 30 of 100 MB').waitFor();
    expect(await strip.getByRole('progressbar').getAttribute('aria-valuenow')).toBe('30');
    await strip.getByRole('button', { name: 'Cancel' }).click();
    const message = page.locator('qs-message-bar', { hasText: 'Cancelled.' });
    await message.getByRole('button', { name: 'Retry' }).click();
    await waitForCharts(page, 3);
  });

  it('give the reason in the place of charts that cannot be, once', async () => {
    const refuse = async (): Promise<never> => {
      throw new Error('model.safetensors: mask is BOOL, which has no numeric values');
    };
    const { page, host } = await pages.editor(
      fakeEditorHost(sampleCheckpoint, { tensorDetails: refuse, groupRanges: refuse }),
      selected(DOWN),
    );
    const alert = page.getByRole('alert');
    await alert.waitFor();
    expect(await alert.count()).toBe(1);
    await alert.getByRole('button', { name: 'Copy' }).click();
    await expect
      .poll(() => host.calls)
      .toEqual([
        ['copyText', { text: 'model.safetensors: mask is BOOL, which has no numeric values' }],
      ]);
  });

  it('say where a NaN is, and still show the finite weights', async () => {
    const statistics: TensorStatistics = {
      ...sampleDetails(DOWN, 64).statistics,
      nan: 2,
      inf: 1,
      firstNonFinite: 160 * 768 + 642,
      kurtosis: NaN,
    };
    const histogram: Histogram = sampleDetails(DOWN, 64).histogram;
    const { page } = await pages.editor(
      fakeEditorHost(sampleCheckpoint, { tensorDetails: async () => ({ statistics, histogram }) }),
      selected(DOWN),
    );
    await waitForCharts(page, 3);
    expect(await page.locator('qs-stat-list .message-text').innerText()).toBe(
      '2 NaN and 1 ±Inf among 196,608 weights, the first at [160, 642]. ' +
        'The statistics are those of the finite weights.',
    );
    expect(await shownStatistics(page)).toMatchObject({ 'excess kurtosis': 'NaN', '±Inf': '1' });
  });

  it('are redrawn in the colours of a new theme', async () => {
    const { page } = await pages.editor(fakeEditorHost(), selected(DOWN));
    await waitForCharts(page, 3);
    const color = (): Promise<string> =>
      chart(page, 'Histogram')
        .locator('.ytick text')
        .first()
        .evaluate((label) => getComputedStyle(label).fill);
    const before = await color();
    await waitForRedraw(page, async () => {
      await page.evaluate(() => {
        document.documentElement.style.setProperty('--vscode-descriptionForeground', '#123456');
        document.body.className = 'vscode-light';
      });
    });
    expect(before).not.toBe('rgb(18, 52, 86)');
    await expect.poll(color).toBe('rgb(18, 52, 86)');
  });
});
