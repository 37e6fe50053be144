// Jobs at the command line on a device that computes on the CPU, against those of threads.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { ComparisonReport, PerplexityReport } from '../../src/reports/reports.js';
import { temporaryFolder } from '../support/checkpoints.js';
import { run } from '../support/commandLine.js';
import { whyNoGpu } from '../support/gpu.js';

const why = await whyNoGpu();
if (why) console.warn(`WebGPU at the command line is not tested: ${why}`);

const MODEL = fileURLToPath(new URL('../fixtures/golden-models/qwen2-tied', import.meta.url));

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
    expect(onGpu.timings.backendReason).toMatch(/, as asked for$/);
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
