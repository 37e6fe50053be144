// The GPU of pages that come and go, as VS Code hides, shows and reloads them. The device is none; a page in
// Chromium that has one is in test/page.
import { expect, it } from 'vitest';
import type { GpuServiceApi } from '../../../src/compute/webgpu/gpuService.js';
import type { HostSourcesApi } from '../../../src/compute/webgpu/hostSources.js';
import { Backends } from '../../../src/jobs/backends/backends.js';
import { compareWeights } from '../../../src/jobs/comparison/compareWeights.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { GpuPageApi } from '../../../src/reports/gpuPage.js';
import { connect, type Handlers, type Remote } from '../../../src/rpc/rpc.js';
import { GpuOfPage } from '../../../src/vscode/gpu/gpuOfPage.js';
import { PageGpu } from '../../../src/vscode/gpu/pageGpu.js';
import { createPool, SAMPLE } from '../../support/checkpoints.js';

const ADAPTER = {
  vendor: 'test',
  architecture: '',
  description: 'A card',
  isSoftware: false,
};
const WORK = { bytes: 0, quantized: 0, flops: 0 };

/** A panel whose page has workers with a device that never ends a task. */
function makePanel(onTask: () => void) {
  const workers = new Map<number, (message: unknown) => void>();
  const page: Remote<GpuPageApi> = {
    startGpu: async ({ worker }) => {
      const service = {
        describe: () => ({ adapter: ADAPTER, limits: {} }),
        begin: () => undefined,
        end: () => undefined,
        run: () => (onTask(), new Promise(() => undefined)),
      } as unknown as Handlers<GpuServiceApi>;
      connect<GpuServiceApi, HostSourcesApi>(
        {
          post: (message) =>
            void gpu.handlers.receiveFromGpu({ worker, message }, undefined as never),
          listen: (listener) => {
            workers.set(worker, listener);
            return () => undefined;
          },
        },
        service,
      );
    },
    sendToGpu: async ({ worker, message }) => workers.get(worker)?.(message),
    endGpu: async ({ worker }) => void workers.delete(worker),
  };
  const gpu = new GpuOfPage(
    () => page,
    async () => 'the program',
  );
  const panel = {
    gpu,
    isThere: false,
    workers,
    show() {
      panel.isThere = true;
      gpu.pageIsThere();
    },
    hide() {
      panel.isThere = false;
      workers.clear();
      gpu.pageEnded('The page was hidden');
    },
  };
  return panel;
}

async function compareWhile(disturb: (panel: ReturnType<typeof makePanel>) => void) {
  let isDisturbed = false;
  const panel = makePanel(() => {
    if (!isDisturbed) disturb(panel);
    isDisturbed = true;
  });
  panel.show();
  const pages = new PageGpu();
  pages.add(panel);
  const backends = new Backends('webgpu', pages);
  const pool = await createPool();
  const model = await openLocalModel(SAMPLE);
  const request = { formats: ['int4:g128'] };
  const report = await compareWeights(pool, model, request, { backends });
  const { formats } = await compareWeights(pool, model, request);
  expect(report.formats).toEqual(formats);
  return { report, panel, backends, pool };
}

it('ends with a hidden page: the job goes on with threads, and later ones have the GPU when it is shown', async () => {
  const { report, panel, backends, pool } = await compareWhile((shown) => shown.hide());
  expect(report.timings).toMatchObject({
    backend: 'webgpu, wasm',
    backendReason: 'The GPU failed (The page was hidden); wasm went on with the rest',
  });
  expect(await backends.choose(pool, WORK)).toEqual({
    reason:
      'webgpu was asked for, but no GPU can be used (The GPU of this window needs a Format Comparison in sight)',
  });
  panel.show();
  const { gpu, reason } = await backends.choose(pool, WORK);
  expect(reason).toBe('A card, as asked for');
  await gpu!.end();
});

it('waits for the page that is shown again until that runs', async () => {
  const { panel, backends, pool } = await compareWhile((shown) => shown.hide());
  // VS Code calls it visible before its script has begun.
  panel.isThere = true;
  const choosing = backends.choose(pool, WORK);
  panel.show();
  const { gpu } = await choosing;
  expect(gpu).toBeDefined();
  await gpu!.end();
});

it('ends with a page that is loaded again, as when its panel moves', async () => {
  const { report, backends, pool } = await compareWhile((shown) => {
    shown.workers.clear();
    shown.show();
  });
  expect(report.timings.backendReason).toContain('The page was loaded again');
  const { gpu } = await backends.choose(pool, WORK);
  expect(gpu).toBeDefined();
  await gpu!.end();
});
