import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GpuMachine } from '../../../src/compute/webgpu/gpuMachine.js';
import { SLOT_BYTES } from '../../../src/compute/webgpu/gpuMemory.js';
import {
  GPU_PROGRAM,
  startGpuProcess,
  type GpuProcess,
} from '../../../src/compute/webgpu/node/gpuProcess.js';
import { findWebGpuPackage } from '../../../src/compute/webgpu/node/nodeAdapter.js';
import { Backends } from '../../../src/jobs/backends/backends.js';
import { NodeGpu } from '../../../src/jobs/backends/node/nodeGpu.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { ForwardApi } from '../../../src/model/forward/tasks.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { createPool, HOST } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';
import { whyNoGpu } from '../../support/gpu.js';

// The process of a GPU, as the command line starts it.
const why = await whyNoGpu();
if (why) console.warn(`The process of a GPU is not tested: ${why}`);

const MODEL = fileURLToPath(new URL('../../fixtures/golden-models/qwen2-tied', import.meta.url));
const WORK = { bytes: 0, quantized: 0, flops: 0 };

describe.skipIf(why)('a process that serves a GPU', () => {
  const gpu = new NodeGpu(HOST);
  beforeAll(async () => void (await gpu.connect()));
  afterAll(() => gpu.end());

  const evaluation = async () => ({
    model: await planLanguageModel(await openLocalModel(MODEL)),
    windows: [Int32Array.from({ length: 16 }, (_, i) => (i * i * 7 + 5) % 90)],
    settings: { scaleDtype: 'f16' as const, memoryBudgetBytes: 1 << 20 },
  });

  it('reads files itself and gives the scores of threads', async () => {
    const request = await evaluation();
    const pool = await createPool();
    const { gpu: machine } = await new Backends('webgpu', gpu).choose(pool, WORK);
    const { baseline } = await evaluate({ ...request, pool: machine! });
    await machine!.end();
    const wanted = (await evaluate({ ...request, pool })).baseline;
    expect(Math.abs(baseline[0].nll / wanted[0].nll - 1)).toBeLessThan(1e-5);
  });

  it('may be killed in the middle of a job, which threads finish', async () => {
    const request = await evaluation();
    const pool = await createPool();
    const { gpu: machine } = await new Backends('webgpu', gpu).choose(pool, WORK);
    let failure = '';
    const fallback = { pool, onFailure: ({ message }: Error) => void (failure = message) };
    const ended: Promise<void>[] = [];
    const onProgress = () => void (ended.length === 0 && ended.push(gpu.end()));
    const { baseline } = await evaluate({ ...request, pool: machine!, fallback }, { onProgress });
    await Promise.all(ended);
    expect(failure).toMatch(/^The process of the GPU stopped unexpectedly \(signal SIGKILL/);
    expect(baseline).toEqual((await evaluate({ ...request, pool })).baseline);
    // The next job gets a new one.
    expect((await gpu.connect()).service.ended).toBe(false);
  });
});

describe.skipIf(why)('a process whose device fails', () => {
  const source = { kind: 'memory', name: 'weights', bytes: new SharedArrayBuffer(64) } as const;
  const task = (target: number) => ({ source, offset: 0, bytes: 64, target, scratchBytes: 0 });

  it('is killed where it hangs, and the next job gets another', async () => {
    let asked: () => void = () => undefined;
    const hangs = new Promise<void>((resolve) => (asked = resolve));
    // It waits for bytes for ever, as it would for a driver.
    const neverReads = { read: () => (asked(), new Promise<void>(() => undefined)) };
    const program = HOST.assets.path(GPU_PROGRAM);
    const packageFolder = findWebGpuPackage(dirname(program))!;
    const started: GpuProcess[] = [];
    const connect = async () => {
      const reader = started.length === 0 ? neverReads : openStoredSources({});
      started.push(await startGpuProcess(program, { packageFolder }, reader));
      return started.at(-1)!;
    };
    const backends = new Backends('webgpu', { connect });
    const pool = await createPool();
    const abort = new AbortController();
    await backends.choose(pool, WORK).then(({ gpu }) => gpu!.end());
    const machine = new GpuMachine(started[0], pool, [], { answerMilliseconds: 100 });
    const { start } = machine.reserve(64);
    const tasks = [task(start), task(start)];
    const work = machine.tasks<ForwardApi>().run('loadBytes', tasks, () => undefined, abort.signal);
    await hangs;
    abort.abort();
    await expect(work).rejects.toThrow('Cancelled');
    await machine.end();
    const next = (await backends.choose(pool, WORK)).gpu!;
    const place = next.reserve(64).start;
    new Float32Array(source.bytes)[3] = 1.5;
    await next.tasks<ForwardApi>().run('loadBytes', [task(place)], () => undefined);
    expect((await next.readFloats(place, 16))[3]).toBe(1.5);
    await next.end();
    expect(started.map(({ service }) => service.ended)).toEqual([true, false]);
    await started[1].end();
  });

  it('ends, and says why; the next job gets another', async () => {
    const own = new NodeGpu(HOST);
    const backends = new Backends('webgpu', own);
    const pool = await createPool();
    const machine = (await backends.choose(pool, WORK)).gpu!;
    // More than any adapter has.
    for (let part = 0; part < 1000; part++) machine.reserve(SLOT_BYTES);
    await expect(machine.readFloats(SLOT_BYTES, 1)).rejects.toMatchObject({ name: 'GpuFailure' });
    await expect.poll(() => machine.connection.service.ended).toBe(true);
    const next = (await backends.choose(pool, WORK)).gpu!;
    const { start } = next.reserve(4);
    next.write(start, Float32Array.of(2));
    expect(await next.readFloats(start, 1)).toEqual(Float32Array.of(2));
    await own.end();
  });
});

describe.skipIf(why)('the command line with --backend webgpu', () => {
  const json = async <Report>(...args: string[]): Promise<Report> => {
    const { stdout, stderr, code } = await run(...args, '--json', '--quiet');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return JSON.parse(stdout) as Report;
  };

  it('compares formats as threads do', async () => {
    // One that the device quantizes and one that threads do; more of them, and perplexities, in test/slow.
    const args = ['compare', MODEL, '--format', 'int4-asym:g16,q4_k', '--tensor', '*.0.*.k_proj.*'];
    const onGpu = await json<ComparisonReport>(...args, '--backend', 'webgpu');
    const onThreads = await json<ComparisonReport>(...args, '--backend', 'wasm');
    expect(onGpu.timings.backend).toBe('webgpu');
    expect(onGpu.timings.backendReason).toMatch(/, as asked for$/);
    expect(onThreads.timings).not.toHaveProperty('backendReason');
    onGpu.formats.forEach(({ summary }, index) => {
      const wanted = onThreads.formats[index].summary;
      expect(Math.abs(summary.mse / wanted.mse - 1)).toBeLessThan(1e-5);
    });
  });
});
