import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { doneComparison } from './fakeComparisonHost.js';
import { fakeEditorHost } from './fakeEditorHost.js';
import { describePages } from './pageSuite.js';
import { sampleCheckpoint } from '../support/sampleModel.js';
import { sampleFindings } from './sampleFindings.js';
import { calibratedComparison } from '../support/calibratedComparison.js';
import { sampleComparison } from '../support/sampleComparison.js';
import { withSamplePerplexity } from '../support/samplePerplexity.js';
import { waitForCharts } from './waits.js';

const FOLDER = fileURLToPath(new URL('../../out/screenshots/', import.meta.url));
const LOOKS = [
  ['dark', {}],
  ['light', { theme: 'light' }],
  ['high-contrast', { theme: 'high-contrast' }],
  ['narrow', { width: 480 }],
] as const;

/** Pictures to look at; the tests only see to it that there is something in them. */
describePages('screenshots', (pages) => {
  mkdirSync(FOLDER, { recursive: true });

  it.each(LOOKS)('editor, %s', async (name, options) => {
    const state = {
      selected: { kind: 'tensor', name: 'model.layers.0.mlp.down_proj.weight' },
      expanded: ['layers.0', 'layers.3'],
    };
    const { page } = await pages.editor(fakeEditorHost(), { ...options, state, height: 1040 });
    await waitForCharts(page, 3);
    const picture = await page.screenshot({ path: `${FOLDER}page-editor-${name}.png` });
    expect(picture.length).toBeGreaterThan(20_000);
  });

  it.each(LOOKS)('integrity, %s', async (name, options) => {
    const host = fakeEditorHost(sampleCheckpoint, {
      open: async () => ({ checkpoint: sampleCheckpoint, groupSize: 128, isChecked: true }),
      checkIntegrity: async () => sampleFindings(),
    });
    const state = {
      selected: { kind: 'tensor', name: 'model.layers.0.mlp.down_proj.weight' },
      expanded: ['layers.0'],
      integrityShown: true,
    };
    const { page } = await pages.editor(host, { ...options, state, height: 1040 });
    await waitForCharts(page, 3);
    await page.getByTestId('integrity').getByRole('grid').waitFor();
    const picture = await page.screenshot({ path: `${FOLDER}page-integrity-${name}.png` });
    expect(picture.length).toBeGreaterThan(20_000);
  });

  it.each(LOOKS)('calibrated comparison, %s', async (name, options) => {
    const [, , , smooth] = calibratedComparison().formats;
    const { page } = await pages.comparison(doneComparison(calibratedComparison()), {
      ...options,
      state: { calibration: { format: smooth.id, finding: 1, asTable: [] } },
      height: 2200,
    });
    await waitForCharts(page, 4);
    const picture = await page.screenshot({ path: `${FOLDER}page-calibrated-${name}.png` });
    expect(picture.length).toBeGreaterThan(20_000);
  });

  it.each(LOOKS)('comparison, %s', async (name, options) => {
    const state = { expanded: ['layers.0'] };
    const { page } = await pages.comparison(doneComparison(sampleComparison()), {
      ...options,
      state,
      height: 1240,
    });
    await waitForCharts(page, 1);
    const picture = await page.screenshot({ path: `${FOLDER}page-comparison-${name}.png` });
    expect(picture.length).toBeGreaterThan(20_000);
  });

  it.each(LOOKS)('perplexity, %s', async (name, options) => {
    const state = { expanded: ['layers.0'], gridMeasure: 'perplexityDelta' };
    const report = withSamplePerplexity(sampleComparison(), {}, true);
    const { page } = await pages.comparison(
      { ...doneComparison(report), scaleDtype: 'f16' },
      { ...options, state, height: 1700 },
    );
    await waitForCharts(page, 2);
    const picture = await page.screenshot({ path: `${FOLDER}page-perplexity-${name}.png` });
    expect(picture.length).toBeGreaterThan(20_000);
  });
});
