import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allowsSearch, findFormatEntry } from '../../src/formats/index.js';
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../src/kernels/webgpu/gpuChunkKernels.js';
import { openTestGpu, whyNoGpu } from '../support/gpu.js';
import {
  compareWithReference,
  describeDifference,
  listCases,
  PARITY_FORMATS,
} from '../support/gpuParity.js';
import { makeWeightScenes } from '../support/weightScenes.js';

const why = await whyNoGpu();

/** Seeds of the scenes; more of them by GPU_SEEDS. */
const seeds = Array.from({ length: Number(process.env.GPU_SEEDS ?? 3) }, (_, i) => 100 + i);

describe.skipIf(why)('every format on a GPU, on every scene', () => {
  let gpu: Gpu;
  let kernels: GpuChunkKernels;
  beforeAll(async () => {
    gpu = await openTestGpu();
    kernels = new GpuChunkKernels(gpu);
  });
  afterAll(() => gpu.destroy());

  it.each(PARITY_FORMATS)('%s', async (name) => {
    const entry = findFormatEntry(name)!;
    const searches = allowsSearch(entry) ? (['none', 'mse', 'clip'] as const) : (['none'] as const);
    for (const [i, seed] of seeds.entries()) {
      // Groupings and scale types meet other scenes each time.
      const scenes = makeWeightScenes(seed);
      const turned = [...scenes.slice(i), ...scenes.slice(0, i)];
      for (const search of searches) {
        // One seed is enough for searches, which take long.
        if (search !== 'none' && i > 0) continue;
        const tried =
          search === 'none' ? turned : turned.filter(({ weights }) => weights.length < 300);
        const cases = listCases(name, tried, search).filter(({ format }) =>
          kernels.supports(format),
        );
        if (cases.length === 0) continue;
        const results = await compareWithReference(gpu, cases, kernels);
        expect(results.map((result) => describeDifference(result)).filter(Boolean)).toEqual([]);
      }
    }
  });

  it('numbers more workgroups than a direction holds', async () => {
    const codes = Uint8Array.from({ length: 256 * 65536 + 999 }, (_, i) => i % 251);
    const source = gpu.acquire(codes.length);
    const target = gpu.acquire(codes.length * 4);
    gpu.write(source, codes);
    kernels.decode('U8', source, codes.length, target);
    const found = new Float32Array((await gpu.read(target)).buffer, 0, codes.length);
    gpu.release(source, target);
    expect(found.every((value, i) => value === codes[i])).toBe(true);
  });
});
