import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GpuMachine } from '../../src/compute/webgpu/gpuMachine.js';
import { chunksOnThreads } from '../../src/compute/webgpu/chunksOnThreads.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import type { EvaluationRequest, WindowScore } from '../../src/model/evaluation/types.js';
import { inFormat } from '../../src/model/evaluation/variants.js';
import { forwardOnThreads } from '../../src/model/forward/webgpu/forwardOnThreads.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { parseFormat } from '../../src/formats/index.js';
import { createPool } from '../support/checkpoints.js';
import { serveGpu, type ServedGpu } from '../support/gpuMachine.js';
import { whyNoGpu } from '../support/gpu.js';

const why = await whyNoGpu();
if (why) console.warn(`Evaluations on a GPU are not tested: ${why}`);

/** Short windows: a device that computes on the CPU is slow. */
const WINDOWS = [0, 1, 2].map((window) =>
  Int32Array.from({ length: 12 }, (_, i) => (window * 31 + i * i * 7 + 5) % 96),
);
const MODEL = fileURLToPath(
  new URL('../fixtures/golden-models/llama-tied-nohead', import.meta.url),
);
const settings = { scaleDtype: 'f16' as const, memoryBudgetBytes: 1 << 20 };
const MAX_RELATIVE_NLL = 1e-4;

async function makeRequest(formats: readonly string[]): Promise<Omit<EvaluationRequest, 'pool'>> {
  const model = await planLanguageModel(await openLocalModel(MODEL));
  const names = model.opened.tensors
    .filter(({ quantizedByDefault }) => quantizedByDefault)
    .map(({ name }) => name);
  const variants = formats.map((id) => ({ id, changes: inFormat(parseFormat(id), names) }));
  return { model, windows: WINDOWS, variants, settings };
}

function expectClose(got: readonly WindowScore[], wanted: readonly WindowScore[]): void {
  got.forEach(({ nll, divergence }, index) => {
    expect(Math.abs(nll / wanted[index].nll - 1)).toBeLessThan(MAX_RELATIVE_NLL);
    expect(Math.abs(divergence - wanted[index].divergence)).toBeLessThan(1e-3);
  });
}

const machineOn = async (gpu: ServedGpu) =>
  new GpuMachine(gpu.connection, await createPool(), [chunksOnThreads, forwardOnThreads]);

describe.skipIf(why)('evaluations on a device', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu();
  });
  afterAll(() => served.close());

  it('agree with those of threads, over several windows', async () => {
    const request = await makeRequest(['int4-asym:g128', 'q4_k']);
    const wanted = await evaluate({ ...request, pool: await createPool() });
    const machine = await machineOn(served);
    const got = await evaluate({ ...request, pool: machine });
    await machine.end();
    expectClose(got.baseline, wanted.baseline);
    got.variants.forEach((scores, index) => expectClose(scores, wanted.variants[index]));
  });

  it('leave no buffer and no pipeline more than the first, ten in a row', async () => {
    const request = await makeRequest(['int4-asym:g128']);
    const run = async () => {
      const machine = await machineOn(served);
      await evaluate({ ...request, windows: WINDOWS.slice(0, 1), pool: machine });
      await machine.end();
      return served.gpu.counts;
    };
    const first = await run();
    for (let job = 1; job < 10; job++) expect(await run()).toEqual(first);
  });
});

describe.skipIf(why)('evaluations on a device that fails', () => {
  it('go on with threads when it is lost, and keep what was scored', async () => {
    const served = await serveGpu();
    const request = await makeRequest([]);
    const machine = await machineOn(served);
    const pool = await createPool();
    const failures: [string, number][] = [];
    const seen: number[] = [];
    const got = await evaluate({
      ...request,
      pool: machine,
      settings: {
        ...settings,
        onLogits: (window) => {
          seen.push(window);
          // In the middle: one window is scored, the next is on its way.
          if (seen.length === 2) served.gpu.device.destroy();
          return Promise.resolve();
        },
      },
      fallback: {
        pool,
        onFailure: ({ message }, scored) => void failures.push([message, scored]),
      },
    });
    expect(failures).toHaveLength(1);
    expect(failures[0][0]).toMatch(/GPU/);
    expect(failures[0][1]).toBeGreaterThan(0);
    expectClose(got.baseline, (await evaluate({ ...request, pool })).baseline);
    served.close();
  });

  it('go on with threads when its process ends', async () => {
    const served = await serveGpu();
    const request = await makeRequest([]);
    const machine = await machineOn(served);
    const pool = await createPool();
    let failure = '';
    const options = {
      onProgress: ({ done }: { done: number }) => done > 0 && served.crash('exit code 139'),
    };
    const fallback = { pool, onFailure: ({ message }: Error) => void (failure = message) };
    const got = await evaluate({ ...request, pool: machine, fallback }, options);
    expect(failure).toBe('exit code 139');
    expectClose(got.baseline, (await evaluate({ ...request, pool })).baseline);
    served.close();
  });
});

describe.skipIf(why)('a device with the smallest limits', () => {
  it('does the same, its buffers being smaller than what jobs reserve', async () => {
    const served = await serveGpu({ smallestLimits: true });
    // Smaller still than the specification allows, so that everything must be split.
    Object.assign(served.gpu.limits, { bufferBytes: 1 << 13, bindingBytes: 1 << 12 });
    const request = await makeRequest([]);
    const pool = await createPool();
    const machine = new GpuMachine(served.connection, pool, [chunksOnThreads, forwardOnThreads]);
    const windows = WINDOWS.slice(0, 1);
    const got = await evaluate({ ...request, windows, pool: machine });
    const wanted = await evaluate({ ...request, windows, pool });
    expectClose(got.baseline, wanted.baseline);
    await machine.end();
    served.close();
  });
});
