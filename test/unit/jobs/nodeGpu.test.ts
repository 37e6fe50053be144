import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Backends } from '../../../src/jobs/backends/backends.js';
import { NodeGpu } from '../../../src/jobs/backends/node/nodeGpu.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { ComparisonReport, PerplexityReport } from '../../../src/reports/reports.js';
import { createPool, HOST, temporaryFolder } from '../../support/checkpoints.js';
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

describe.skipIf(why)('the command line with --backend webgpu', () => {
  const json = async <Report>(...args: string[]): Promise<Report> => {
    const { stdout, stderr, code } = await run(...args, '--json', '--quiet');
    expect(stderr).toBe('');
    expect(code).toBe(0);
    return JSON.parse(stdout) as Report;
  };

  it('measures perplexities as threads do, and says what did', async () => {
    const ids = join(await temporaryFolder(), 'ids.json');
    await writeFile(ids, JSON.stringify([[1, 5, 9, 13, 60, 31, 2, 44, 17, 8]]));
    const args = ['perplexity', MODEL, '--token-ids', ids, '--no-cache'];
    const onGpu = await json<PerplexityReport>(...args, '--backend', 'webgpu');
    const onThreads = await json<PerplexityReport>(...args, '--backend', 'wasm');
    const [a, b] = [onGpu, onThreads].map(({ baseline }) => baseline.perplexity.value);
    expect(Math.abs(a / b - 1)).toBeLessThan(1e-4);
    expect(onGpu.timings.backend).toBe('webgpu');
    expect(onGpu.timings.backendReason).toMatch(/^asked for; /);
    expect(onThreads.timings).not.toHaveProperty('backendReason');
  });

  it('compares formats as threads do', async () => {
    const formats = 'int4-asym:g16,afp4-e2m1:g16,q8_0,q4_k,nvfp4';
    const args = ['compare', MODEL, '--format', formats];
    const onGpu = await json<ComparisonReport>(...args, '--backend', 'webgpu');
    const onThreads = await json<ComparisonReport>(...args, '--backend', 'wasm');
    expect(onGpu.timings.backend).toBe('webgpu');
    onGpu.formats.forEach(({ summary }, index) => {
      const wanted = onThreads.formats[index].summary;
      expect(Math.abs(summary.mse / wanted.mse - 1)).toBeLessThan(1e-5);
    });
  });
});
