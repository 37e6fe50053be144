import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FORMAT_CATALOGUE, parseFormat } from '../../src/formats/index.js';
import { CPU_FORMATS } from '../../src/kernels/webgpu/cpuFormats.js';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../src/kernels/webgpu/gpuChunkKernels.js';
import { openTestGpu, whyNoGpu } from '../support/gpu.js';
import { compareWithReference, describeDifference, listCases } from '../support/gpuParity.js';
import { makeWeightScenes } from '../support/weightScenes.js';

const why = await whyNoGpu();

describe.skipIf(why)('chunk kernels of a GPU', () => {
  let gpu: Gpu;
  beforeEach(async () => void (gpu = await openTestGpu({ smallestLimits: true })));
  afterEach(() => gpu.destroy());

  it('compute every format but those that are listed with a reason', () => {
    const kernels = new GpuChunkKernels(gpu);
    const left = FORMAT_CATALOGUE.map(({ name }) => name).filter(
      (name) => !kernels.supports(parseFormat(name)),
    );
    expect(left.sort()).toEqual(Object.keys(CPU_FORMATS).sort());
    const format = parseFormat('q4_k');
    const weights = gpu.acquire(4);
    expect(() =>
      kernels.quantize({ format, scaleDtype: 'f16', shape: { rows: 1, columns: 1 }, weights }),
    ).toThrow(/q4_k is not computed on the GPU/);
  });

  it('need no more than every adapter has, and keep nothing of a job', async () => {
    const kernels = new GpuChunkKernels(gpu);
    const scenes = makeWeightScenes(4).filter((_, i) => i % 6 === 0);
    const run = async () => {
      const cases = [...listCases('nf4', scenes), ...listCases('q4_1', scenes)];
      const results = await compareWithReference(gpu, cases, kernels);
      expect(results.map((result) => describeDifference(result)).filter(Boolean)).toEqual([]);
    };
    await run();
    const { counts } = gpu;
    await run();
    expect(gpu.counts).toEqual(counts);
  });

  it('quantize without an output, and read many results at once', async () => {
    const kernels = new GpuChunkKernels(gpu);
    const weights = gpu.acquire(4096);
    gpu.write(weights, new Uint8Array(Float32Array.from({ length: 1024 }, (_, i) => i / 7).buffer));
    const shape = { rows: 4, columns: 256 };
    const names = ['nf4:g128', 'nf4:row', 'nf4:g2'];
    const promises = names.map((name) =>
      kernels.quantize({ format: parseFormat(name), scaleDtype: 'f16', shape, weights }),
    );
    await kernels.collect();
    const [grouped, byRow, fine] = await Promise.all(promises);
    expect(grouped.squaredError).toBeLessThan(byRow.squaredError);
    expect(fine.squaredError).toBeGreaterThan(0);
    expect(fine.badScales).toBe(0);
    const extremes = kernels.extremes(weights, 1024);
    await kernels.collect();
    expect(await extremes).toEqual({ lo: 0, hi: Math.fround(1023 / 7) });
  });

  it('reject what was asked of a device that is gone', async () => {
    const kernels = new GpuChunkKernels(gpu);
    const weights = gpu.acquire(4096);
    const shape = { rows: 4, columns: 256 };
    const sums = kernels.quantize({
      format: parseFormat('bf16'),
      scaleDtype: 'f16',
      shape,
      weights,
    });
    gpu.destroy();
    await expect(kernels.collect()).rejects.toThrow(/given back/);
    await expect(sums).rejects.toThrow(/given back/);
  });
});
