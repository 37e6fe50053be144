import * as path from 'node:path';
import { describe, expect, test } from 'vitest';
import { finishedComparison } from '../../scripts/lib/quantscope.mjs';
import { copyWithText } from '../support/textModels.js';
import {
  askForGpu,
  expectShown,
  GPU_FLAGS,
  MAX_RELATIVE_ERROR,
  TEST_TIMEOUT,
  measureAtCommandLine,
  measureInWindow,
} from './onGpu.js';
import { TestWindow } from './support.js';

// A small one: the software adapter is slow. Others are measured in test/slow.
const MODEL = 'qwen3-tied';
const FORMATS = ['int4-asym'];

let goldenNll: number | undefined;
const open = TestWindow.use((folder) => {
  askForGpu(folder);
  goldenNll = copyWithText(MODEL, path.join(folder, MODEL));
}, GPU_FLAGS);

describe('the GPU of the window', () => {
  test(
    'quantizes weights and runs the model in workers of the page, with the numbers of threads',
    async () => {
      const page = await measureInWindow(open, MODEL, FORMATS);
      const status = page.getByTestId('comparison-status');
      await status.getByText('s on webgpu · ').waitFor();
      await status.getByText(/SwiftShader.*, which computes on the CPU, as asked for$/i).waitFor();
      await expectShown(
        page,
        await measureAtCommandLine(path.join(open.folder, MODEL), FORMATS, 'wasm'),
      );
      const baseline = page.locator('[data-baseline] [data-measure="perplexity"]');
      const shown = Number(await baseline.getAttribute('data-value'));
      expect(Math.abs(shown / Math.exp(goldenNll!) - 1)).toBeLessThan(
        MAX_RELATIVE_ERROR.perplexity,
      );
    },
    TEST_TIMEOUT,
  );

  test('is said in three themes', async () => {
    await finishedComparison(open.workbench, `${MODEL}/model.safetensors`);
    for (const theme of ['Light Modern', 'Dark High Contrast', 'Dark Modern'] as const) {
      await open.workbench.setTheme(theme);
      await open.screenshot(`webgpu-${theme.toLowerCase().replaceAll(' ', '-')}`);
    }
  });

  test('breaks no rule of the page', () => {
    expect(open.complaints).toEqual([]);
  });
});
