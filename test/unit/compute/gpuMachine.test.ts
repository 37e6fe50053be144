import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { GpuMachine } from '../../../src/compute/webgpu/gpuMachine.js';
import { chunksOnThreads } from '../../../src/compute/webgpu/chunksOnThreads.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { EvaluationRequest, WindowScore } from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import type { ForwardApi } from '../../../src/model/forward/tasks.js';
import { forwardOnThreads } from '../../../src/model/forward/webgpu/forwardOnThreads.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { Gpu } from '../../../src/kernels/webgpu/gpu.js';
import { parseFormat } from '../../../src/formats/index.js';
import { isCancelled } from '../../../src/rpc/rpc.js';
import { createPool } from '../../support/checkpoints.js';
import { serveGpu, type ServedGpu } from '../../support/gpuMachine.js';
import { whyNoGpu } from '../../support/gpu.js';
import { checkModelOnGpu, MODELS } from '../../support/modelsOnGpu.js';

const why = await whyNoGpu();
if (why) console.warn(`Evaluations on a GPU are not tested: ${why}`);

/** Short windows: a device that computes on the CPU is slow. */
const WINDOWS = [0, 1, 2].map((window) =>
  Int32Array.from({ length: 12 }, (_, i) => (window * 31 + i * i * 7 + 5) % 96),
);
const MODEL = fileURLToPath(
  new URL('../../fixtures/golden-models/llama-tied-nohead', import.meta.url),
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

/** Golden models, few of them; all are tried in test/slow. */
const GOLDEN = [
  'golden-models/llama-gqa-llama3rope/',
  'golden-models/gpt2/',
  'own-models/mixtral-fused/',
];

const machineOn = async (gpu: ServedGpu) =>
  new GpuMachine(gpu.connection, await createPool(), [chunksOnThreads, forwardOnThreads]);

describe.skipIf(why)('evaluations on a device', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu();
  });
  afterAll(() => served.close());

  it.each(GOLDEN)('give the numbers of the original code: %s', (name) =>
    checkModelOnGpu(MODELS.get(name)!, served),
  );

  it('agree with those of threads, GGUF formats included, which threads quantize', async () => {
    const request = {
      ...(await makeRequest(['int4-asym:g128', 'q4_k'])),
      // Several of them in test/slow.
      windows: WINDOWS.slice(0, 1),
    };
    const wanted = await evaluate({ ...request, pool: await createPool() });
    const machine = await machineOn(served);
    const got = await evaluate({ ...request, pool: machine });
    await machine.end();
    expectClose(got.baseline, wanted.baseline);
    got.variants.forEach((scores, index) => expectClose(scores, wanted.variants[index]));
  });

  it('take weights as stored straight to their place, and count those that are no numbers', async () => {
    const machine = await machineOn(served);
    const [rows, columns] = [16, 40];
    const bytes = new SharedArrayBuffer(rows * columns * 2);
    // BF16: 1, 1 + 2⁻⁷, …, and a NaN.
    const stored = new Uint16Array(bytes).map((_, i) => (i === 99 ? 0x7fc0 : 0x3f80 + (i % 128)));
    new Uint16Array(bytes).set(stored);
    const { start: target } = machine.reserve(rows * columns * 4);
    const source = { kind: 'memory', name: 'weights', bytes } as const;
    const chunk = { source, offset: 0, dtype: 'BF16' as const, rows, columns };
    const copy = vi.spyOn(served.gpu, 'copy');
    const counts: number[] = [];
    await machine
      .tasks<ForwardApi>()
      .run('packWeights', [{ chunk, target, scaleDtype: 'f16' }], ({ nonFinite }) => {
        counts.push(nonFinite);
      });
    expect(counts).toEqual([1]);
    expect(copy).not.toHaveBeenCalled();
    copy.mockRestore();
    const wanted = new Float32Array(new Uint32Array(stored).map((code) => code << 16).buffer);
    wanted[99] = 0;
    expect(await machine.readFloats(target, rows * columns)).toEqual(wanted);
    await machine.end();
  });

  it('share the device', async () => {
    const request = await makeRequest([]);
    const [one, other] = await Promise.all([machineOn(served), machineOn(served)]);
    const results = await Promise.all([one, other].map((pool) => evaluate({ ...request, pool })));
    expect(results[0].baseline).toEqual(results[1].baseline);
    await Promise.all([one.end(), other.end()]);
  });

  it('end when they are cancelled', async () => {
    const request = await makeRequest([]);
    const abort = new AbortController();
    const machine = await machineOn(served);
    const options = { signal: abort.signal, onProgress: () => abort.abort() };
    const error = await evaluate({ ...request, pool: machine }, options).catch(
      (each: unknown) => each,
    );
    expect(isCancelled(error)).toBe(true);
    await machine.end();
  });
});

/** Loses a device when something is done to it first. */
function loseAt(gpu: Gpu, method: 'kernel' | 'write' | 'read' | 'finish'): void {
  const original = gpu[method].bind(gpu) as (...args: unknown[]) => unknown;
  Object.assign(gpu, {
    [method]: (...args: unknown[]) => {
      gpu.device.destroy();
      return original(...args);
    },
  });
}

describe.skipIf(why)('a device that is lost', () => {
  it.each([
    ['while kernels are compiled', 'kernel'],
    ['while weights go up', 'write'],
    ['while results are read', 'read'],
    ['while it is waited for', 'finish'],
  ] as const)('%s: threads do the job', async (_, method) => {
    const served = await serveGpu();
    const request = { ...(await makeRequest([])), windows: WINDOWS.slice(0, 1) };
    const machine = await machineOn(served);
    const pool = await createPool();
    loseAt(served.gpu, method);
    let failure = '';
    const fallback = { pool, onFailure: ({ message }: Error) => void (failure = message) };
    const got = await evaluate({ ...request, pool: machine, fallback });
    await machine.end();
    expect(failure).not.toBe('');
    expect(got.baseline).toEqual((await evaluate({ ...request, pool })).baseline);
    served.close();
  });

  it('between two jobs: threads do the second', async () => {
    const served = await serveGpu();
    const before = await machineOn(served);
    const { start } = before.reserve(4);
    before.write(start, Float32Array.of(3));
    expect(await before.readFloats(start, 1)).toEqual(Float32Array.of(3));
    await before.end();
    served.gpu.device.destroy();
    await served.gpu.device.lost;
    const machine = await machineOn(served);
    const reading = machine.readFloats(machine.reserve(4).start, 1);
    await expect(reading).rejects.toMatchObject({ name: 'GpuFailure' });
    await machine.end();
    served.close();
  });

  it('before it was there, is none', async () => {
    const adapter = {
      limits: {},
      features: new Set(),
      requestDevice: () => Promise.reject(new Error('The adapter is gone')),
    } as unknown as GPUAdapter;
    await expect(Gpu.open(adapter)).rejects.toMatchObject({
      name: 'GpuFailure',
      message: 'The GPU cannot be used: Error: The adapter is gone',
    });
  });
});
