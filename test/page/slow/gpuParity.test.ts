// Kernels against the reference in Node and in a worker of a page: the table of docs/webgpu-parity.md.
import { mkdirSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../../src/kernels/webgpu/gpuChunkKernels.js';
import type { ComparisonHostApi, ComparisonPageApi } from '../../../src/reports/comparisonPage.js';
import { connect } from '../../../src/rpc/rpc.js';
import { GpuOfPage } from '../../../src/vscode/gpu/gpuOfPage.js';
import { openTestGpu, whyNoGpu } from '../../support/gpu.js';
import { PARITY_FORMATS, tabulateFormat, type ParityRow } from '../../support/gpuParity.js';
import { parityDocument } from '../../support/parityDocument.js';
import { sampleComparison } from '../../support/sampleComparison.js';
import { findChromium, launchChromium } from '../chromium.js';
import { doneComparison, fakeComparisonHost } from '../fakeComparisonHost.js';
import { openPage, type OpenedPage } from '../openPage.js';
import { servePages } from '../pageServer.js';
import type { ParityApi } from './parityWorker.js';

const MAX_SUM_ERROR = 1e-5;
const FOLDER = fileURLToPath(new URL('../../../out/reports/', import.meta.url));

const noChromium = findChromium() ? undefined : 'there is no Chromium';
const why = noChromium ?? (await whyNoGpu());
if (why) console.warn(`The table of kernels on a GPU is not made: ${why}`);

async function bundleWorker(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('./parityWorker.ts', import.meta.url))],
    bundle: true,
    platform: 'browser',
    format: 'iife',
    loader: { '.wgsl': 'text' },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0].text;
}

/** The page under its policy, and what its worker does. */
async function openWorker() {
  const [server, browser, program] = await Promise.all([
    servePages(),
    launchChromium('--enable-unsafe-webgpu'),
    bundleWorker(),
  ]);
  let page: OpenedPage<ComparisonPageApi> | undefined = undefined;
  const gpu = new GpuOfPage(
    () => page!.remote,
    () => Promise.resolve(program),
  );
  const { handlers } = fakeComparisonHost(doneComparison(sampleComparison()));
  const opened = await openPage<ComparisonHostApi, ComparisonPageApi>(
    browser,
    server,
    'comparison',
    { ...handlers, ...gpu.handlers },
  );
  page = opened;
  gpu.pageIsThere();
  const link = await gpu.open();
  const { remote } = connect<Record<never, never>, ParityApi>(link.channel, {});
  return {
    remote,
    page: opened,
    async close() {
      await browser.close();
      await server.close();
    },
  };
}

describe.skipIf(why)('every format on a GPU', () => {
  let gpu: Gpu;
  let kernels: GpuChunkKernels;
  let worker: Awaited<ReturnType<typeof openWorker>>;
  const found: { node: ParityRow; page: ParityRow }[] = [];

  beforeAll(async () => {
    [gpu, worker] = await Promise.all([openTestGpu(), openWorker()]);
    kernels = new GpuChunkKernels(gpu);
  });
  afterAll(async () => {
    gpu?.destroy();
    await worker?.close();
  });

  it.each(PARITY_FORMATS)('%s, in Node and in a page', async (format) => {
    const rows = await tabulateFormat(gpu, kernels, format);
    const ofPage = await worker.remote.tabulate(format);
    expect(ofPage).toHaveLength(rows.length);
    rows.forEach((node, i) => found.push({ node, page: ofPage[i] }));
    for (const row of [...rows, ...ofPage]) {
      expect(row).toMatchObject({ mismatchedBits: 0, wrongCounts: 0 });
      expect(row.worstSumError).toBeLessThan(MAX_SUM_ERROR);
    }
  });

  it('breaks no rule of the page, and makes the table', async () => {
    expect(worker.page.errors).toEqual([]);
    const violations = await worker.page.violations();
    // The toolkit tries one style element to learn whether :focus-visible exists.
    expect(violations.filter((text) => !text.startsWith('style-src-elem '))).toEqual([]);
    const adapters = {
      node: gpu.adapter.description,
      page: await worker.remote.describe(null),
    };
    mkdirSync(FOLDER, { recursive: true });
    writeFileSync(`${FOLDER}webgpu-parity.md`, parityDocument(adapters, found));
  });
});
