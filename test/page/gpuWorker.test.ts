import { join } from 'node:path';
import type { Browser } from 'playwright-core';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { connectGpu, type LinkedGpu } from '../../src/compute/webgpu/node/connectGpu.js';
import { SLOT_BYTES } from '../../src/compute/webgpu/gpuMemory.js';
import { lendGpu } from '../../src/jobs/backends/node/lentGpu.js';
import { measureInThread } from '../../src/jobs/perplexity/measureInThread.js';
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import type { ComparisonHostApi, ComparisonPageApi } from '../../src/reports/comparisonPage.js';
import { GpuOfPage } from '../../src/vscode/gpu/gpuOfPage.js';
import { bundlePages } from './bundlePages.js';
import { NO_CHROMIUM, findChromium, launchChromium } from './chromium.js';
import { doneComparison, fakeComparisonHost } from './fakeComparisonHost.js';
import { openPage, type OpenedPage } from './openPage.js';
import { servePages, type PageServer } from './pageServer.js';
import { HOST, temporaryFolder } from '../support/checkpoints.js';
import { copyWithText } from '../support/textModels.js';
import { sampleComparison } from '../support/sampleComparison.js';

type Page = OpenedPage<ComparisonPageApi>;

/** Weights that lie in the memory of the host. */
function inMemory(values: Float32Array) {
  const bytes = new SharedArrayBuffer(values.byteLength);
  new Float32Array(bytes).set(values);
  return { kind: 'memory', name: 'weights', bytes } as const;
}

describe.skipIf(!findChromium())(`the GPU of a page${NO_CHROMIUM}`, () => {
  let server: PageServer;
  let program: string;
  let browser: Browser;
  let withoutGpu: Browser;
  const opened: Page[] = [];

  beforeAll(async () => {
    [server, browser, withoutGpu] = await Promise.all([
      servePages(),
      // SwiftShader, which computes on the CPU.
      launchChromium('--enable-unsafe-webgpu'),
      launchChromium(),
    ]);
    program = new TextDecoder().decode((await bundlePages()).get('gpuWorker.js'));
  });
  afterAll(async () => {
    await Promise.all([browser?.close(), withoutGpu?.close(), server?.close()]);
  });
  afterEach(async () => {
    for (const page of opened.splice(0)) {
      expect(page.errors).toEqual([]);
      const violations = await page.violations();
      // The toolkit tries one style element to learn whether :focus-visible exists.
      expect(violations.filter((text) => !text.startsWith('style-src-elem '))).toEqual([]);
      await page.close();
    }
  });

  async function open(inBrowser: Browser, workerProgram = program) {
    const starts: number[] = [];
    const gpu = new GpuOfPage(
      () => page.remote,
      async () => {
        starts.push(starts.length);
        return workerProgram;
      },
    );
    const host = fakeComparisonHost(doneComparison(sampleComparison(128, 'layers.0'))).handlers;
    const page: Page = await openPage<ComparisonHostApi, ComparisonPageApi>(
      inBrowser,
      server,
      'comparison',
      { ...host, ...gpu.handlers },
    );
    gpu.pageIsThere();
    opened.push(page);
    return { gpu, page, starts };
  }

  const connect = async (gpu: GpuOfPage) => connectGpu(await gpu.open(), openStoredSources());

  async function expectMemory({ service, sources }: LinkedGpu): Promise<void> {
    const { remote, whileAlive } = service;
    const call = <T>(work: Promise<T>) => whileAlive(work);
    await call(remote.begin(1));
    await call(remote.reserve({ session: 1, at: SLOT_BYTES, bytes: 4096 }));
    const values = Float32Array.of(1.5, -2, 0.25, 3);
    await call(remote.write({ session: 1, at: SLOT_BYTES, values }));
    const read = await call(remote.readFloats({ session: 1, at: SLOT_BYTES, count: 4 }));
    expect(read).toEqual(Float32Array.of(1.5, -2, 0.25, 3));

    const weights = Float32Array.from({ length: 1000 }, (_, index) => Math.fround(index / 7));
    const task = {
      source: sources.share(inMemory(weights)),
      offset: 400,
      bytes: 3600,
      target: SLOT_BYTES,
      scratchBytes: 0,
    };
    await call(remote.run({ session: 1, method: 'loadBytes', task }));
    const loaded = await call(remote.readFloats({ session: 1, at: SLOT_BYTES, count: 900 }));
    expect(loaded).toEqual(weights.subarray(100));
    await call(remote.end(1));
  }

  it('describes itself, keeps numbers, and reads what the host shares with it', async () => {
    const { gpu } = await open(browser);
    const connection = await connect(gpu);
    expect(connection.adapter).toMatchObject({ isSoftware: true });
    await expectMemory(connection);
    connection.end();
    expect(connection.service.ended).toBe(true);
  });

  it('serves several at once, each with memory of its own', async () => {
    const { gpu } = await open(browser);
    const [one, other] = await Promise.all([connect(gpu), connect(gpu)]);
    await Promise.all([expectMemory(one), expectMemory(other)]);
    one.end();
    await expectMemory(other);
  });

  it('measures for a thread of the host what threads measure', async () => {
    const { gpu } = await open(browser);
    // Little of a tiny one: the software adapter is slow.
    const folder = join(await temporaryFolder(), 'model');
    copyWithText('qwen3-tied', folder);
    const model = await openLocalModel(folder);
    const request = {
      formats: ['int4'],
      tensors: ['model.layers.1.mlp.down_proj.weight'],
      scaleDtype: 'f16' as const,
      perLayer: false,
      settings: { context: 16, windows: 1 },
    };
    const gpuPort = lendGpu(() => gpu.open());
    const start = { threads: 1, backend: 'webgpu' as const, gpuPort };
    const [inPage, onThreads] = await Promise.all([
      measureInThread(HOST, start, model, request),
      measureInThread(HOST, { threads: 1 }, model, request),
    ]);
    expect(inPage.backend).toBe('webgpu');
    expect(inPage.notes).toEqual(onThreads.notes);
    expect(inPage.baseline.value).toBeCloseTo(onThreads.baseline.value, 3);
    const [perplexity, expected] = [inPage, onThreads].map(({ formats }) => formats[0].whole.value);
    expect(perplexity).toBeCloseTo(expected, 3);
  }, 180_000);

  it('passes on the error of what cannot be read', async () => {
    const { gpu } = await open(browser);
    const { service, sources } = await connect(gpu);
    await service.remote.begin(1);
    await service.remote.reserve({ session: 1, at: SLOT_BYTES, bytes: 64 });
    const source = sources.share(inMemory(new Float32Array(4)));
    const task = { source, offset: 8, bytes: 64, target: SLOT_BYTES, scratchBytes: 0 };
    const work = service.remote.run({ session: 1, method: 'loadBytes', task });
    await expect(service.whileAlive(work)).rejects.toThrow('weights');
    expect(service.ended).toBe(false);
  });

  it('fails what is under way when its page is closed', async () => {
    const { gpu, page } = await open(browser);
    let asked: () => void = () => undefined;
    const waits = new Promise<void>((resolve) => (asked = resolve));
    const neverReads = {
      read: () => {
        asked();
        return new Promise<void>(() => undefined);
      },
      close: async () => undefined,
    };
    const { service, sources } = await connectGpu(await gpu.open(), neverReads);
    await service.remote.begin(1);
    const source = sources.share(inMemory(new Float32Array(4)));
    const task = { source, offset: 0, bytes: 16, target: SLOT_BYTES, scratchBytes: 0 };
    const work = service.whileAlive(service.remote.run({ session: 1, method: 'loadBytes', task }));
    await waits;
    const failed = expect(work).rejects.toMatchObject({
      name: 'GpuFailure',
      message: 'The panel was closed',
    });
    gpu.pageEnded('The panel was closed');
    await failed;
    await page.close();
    expect(service.ended).toBe(true);
    await expect(service.whileAlive(service.remote.counts(null))).rejects.toMatchObject({
      name: 'GpuFailure',
    });
  });

  it('fails what is under way when the device fails, and can be asked for again', async () => {
    const { gpu } = await open(browser);
    const { service } = await connect(gpu);
    const { remote, whileAlive } = service;
    await remote.begin(1);
    const ended = new Promise<void>((resolve) => {
      const look = () => (service.ended ? resolve() : setTimeout(look, 10));
      look();
    });
    // More than any adapter has.
    await remote
      .reserve({ session: 1, at: SLOT_BYTES, bytes: SLOT_BYTES * 1000 })
      .catch(() => undefined);
    await expect(
      whileAlive(remote.readFloats({ session: 1, at: SLOT_BYTES, count: 4 })),
    ).rejects.toMatchObject({ name: 'GpuFailure' });
    await ended;
    await expectMemory(await connect(gpu));
  });

  it('says that there is no adapter, and is asked once only', async () => {
    const { gpu, starts } = await open(withoutGpu);
    const none = {
      name: 'GpuFailure',
      message: 'No GPU is found that WebGPU can use in this window',
    };
    await expect(gpu.open()).rejects.toMatchObject(none);
    await expect(gpu.open()).rejects.toMatchObject(none);
    expect(starts).toHaveLength(1);
  });

  it('loads nothing: the policy of the page is that of its workers', async () => {
    const url = server.url('comparison').replace('.html', '.js');
    const loads = `onmessage = () => fetch('${url}').then(
      () => postMessage({ started: true }),
      () => postMessage({ ended: 'It could not load' }),
    );`;
    const { gpu } = await open(browser, loads);
    await expect(gpu.open()).rejects.toThrow('It could not load');
  });

  it('says that there is no WebGPU, or that its program is broken', async () => {
    const without = `Object.defineProperty(navigator, 'gpu', { value: undefined });${program}`;
    const { gpu } = await open(browser, without);
    await expect(gpu.open()).rejects.toMatchObject({
      name: 'GpuFailure',
      message: 'This window has no WebGPU',
    });
    const { gpu: broken } = await open(browser, 'throw new Error("broken")');
    await expect(broken.open()).rejects.toThrow(/The worker of the GPU has failed .*broken/);
  });
});
