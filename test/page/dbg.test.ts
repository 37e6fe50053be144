import { writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { doneComparison } from './fakeComparisonHost.js';
import { fakeEditorHost } from './fakeEditorHost.js';
import { describePages } from './pageSuite.js';
import { sampleCheckpoint } from './sampleModel.js';
import { sampleComparison } from './sampleComparison.js';
import { waitForCharts } from './waits.js';
const report = sampleComparison();
const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));
describePages('t', (pages) => {
  it('a', async () => {
    const { page, host } = await pages.comparison(doneComparison(report), {
      state: {
        layers: { measure: 'mse', marks: 'dots', hidden: ['int3-asym:g128'], asTable: false },
        gridMeasure: 'maxAbsError',
        expanded: ['layers.1'],
        sorting: { column: 'sqnrDb', direction: 'descending' },
      },
      height: 1000,
    });
    await waitForCharts(page, 1);
    await page.locator('tr[data-format="dint4:g128"] button').click();
    await page.getByRole('slider').focus();
    await page.keyboard.press('End');
    await page.getByRole('button', { name: 'Save PNG' }).click();
    await expect.poll(() => host.calls.length).toBe(1);
    writeFileSync('/tmp/chart.png', (host.calls[0][1] as { png: Uint8Array }).png);
    await page.screenshot({ path: '/tmp/s1.png' });
  });
  it('b', async () => {
    const { page } = await pages.comparison(
      {
        modelName: 'quantscope-sample',
        scope: 'layers.3',
        formats: report.formats.map((f) => f.id),
        status: 'running',
        progress: { done: 7, total: 28, message: 'layers.3.mlp.up_proj.weight' },
        secondsLeft: 7,
      },
      { height: 420, width: 900 },
    );
    await pause(500);
    await page.screenshot({ path: '/tmp/s2.png' });
  });
  it('c', async () => {
    const { page } = await pages.editor(
      fakeEditorHost({
        ...sampleCheckpoint,
        problems: [
          {
            file: 'model-00002.safetensors',
            message: 'the index names this shard, but it is missing',
          },
        ],
      }),
      {
        state: {
          selected: { kind: 'layer', name: 'layers.1' },
          expanded: ['layers.1'],
          headerExpanded: true,
        },
        height: 700,
      },
    );
    await page.getByRole('tree').focus();
    await pause(300);
    await page.screenshot({ path: '/tmp/s3.png' });
  });
  it('d', async () => {
    const { page } = await pages.editor(
      fakeEditorHost(sampleCheckpoint, {
        tensorDetails: (_a, { progress }) => {
          progress({ done: 30, total: 100, message: 'Reading 30 of 100 MB' });
          return new Promise(() => 0);
        },
      }),
      { height: 900 },
    );
    await waitForCharts(page, 2);
    const plot = page.getByRole('slider').first();
    await plot.focus();
    for (let i = 0; i < 3; i++) {
      await page.keyboard.press('+');
      await pause(700);
    }
    await page.keyboard.press('End');
    await pause(200);
    await page.screenshot({ path: '/tmp/s4.png' });
  });
  it('e', async () => {
    const { page } = await pages.editor(fakeEditorHost(), {
      height: 900,
      theme: 'light',
      state: {
        view: {
          countScale: 'linear',
          histogramAsTable: true,
          groupsAsTable: true,
          asymmetryAsTable: false,
          moreStatistics: false,
        },
        filter: 'proj 256x256',
        selected: { kind: 'tensor', name: 'model.layers.0.self_attn.o_proj.weight' },
      },
    });
    await waitForCharts(page, 1);
    await page.screenshot({ path: '/tmp/s5.png' });
  });
});
