// Perplexities on SwiftShader's adapter, in a real window and at the command line, against those of threads.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { whyNoGpu } from '../support/gpu.js';
import { copyWithText } from '../support/textModels.js';
import {
  askForGpu,
  expectSameReport,
  expectShown,
  GPU_FLAGS,
  measureAtCommandLine,
  measureInWindow,
  TEST_TIMEOUT,
} from '../window/onGpu.js';
import { copySample } from '../../scripts/lib/sample.mjs';
import { TestWindow } from '../window/support.js';

/** Models by folder; the sample is one of them. */
const MODELS = ['sample', 'gpt2', 'qwen3-tied'];
const FORMATS = ['int4-asym'];
/** Of the sample's text: one window of 256 tokens, and no second. */
const CHARACTERS = 1000;

function prepare(folder: string): void {
  askForGpu(folder);
  copySample(join(folder, 'sample'));
  const text = readFileSync(join(folder, 'sample', 'eval.txt'), 'utf8');
  writeFileSync(join(folder, 'sample', 'eval.txt'), text.slice(0, CHARACTERS));
  for (const name of ['gpt2', 'qwen3-tied']) copyWithText(name, join(folder, name));
}

const why = await whyNoGpu();
if (why) console.warn(`WebGPU at the command line is not tested: ${why}`);

describe('a window with an adapter', () => {
  const open = TestWindow.use(prepare, GPU_FLAGS);
  afterAll(() => expect(open.complaints).toEqual([]));

  test.each(MODELS)(
    '%s: has the perplexities of threads',
    async (name) => {
      const page = await measureInWindow(open, name, FORMATS);
      await page.getByTestId('comparison-status').getByText('s on webgpu · ').waitFor();
      await expectShown(page, await measureAtCommandLine(join(open.folder, name), FORMATS, 'wasm'));
    },
    TEST_TIMEOUT,
  );

  test.skipIf(why)('the command line has them, too', async () => {
    for (const name of MODELS) {
      const [onGpu, onThreads] = [
        await measureAtCommandLine(join(open.folder, name), FORMATS, 'webgpu'),
        await measureAtCommandLine(join(open.folder, name), FORMATS, 'wasm'),
      ];
      expect(onGpu.timings.backend).toBe('webgpu');
      expectSameReport(onGpu, onThreads);
    }
  });
});

describe('a window without an adapter', () => {
  const open = TestWindow.use(prepare);
  const explained =
    /webgpu was asked for, but no GPU can be used \(No GPU is found .*quantscope\.webgpuPackage\)/;

  test(
    'computes with threads, and says why and what would help',
    async () => {
      const page = await measureInWindow(open, 'gpt2', FORMATS);
      const status = page.getByTestId('comparison-status');
      await status.getByText('s on wasm, ').waitFor();
      await status.getByText(explained).waitFor();
      await open.screenshot('webgpu-missing');
    },
    TEST_TIMEOUT,
  );
});
