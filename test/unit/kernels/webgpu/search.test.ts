import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../../../src/formats/index.js';
import type { Gpu } from '../../../../src/kernels/webgpu/gpu.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { compareWithReference, describeDifference } from '../../../support/gpuParity.js';
import { makeCloseScenes } from '../../../support/weightScenes.js';

const why = await whyNoGpu();

// One rule, which is compiled once: others are tried in test/slow, and whole weights there, too.
describe.skipIf(why)('searching ranges on a GPU', () => {
  let gpu: Gpu;
  beforeAll(async () => void (gpu = await openTestGpu({ smallestLimits: true })));
  afterAll(() => gpu.destroy());

  it.each(['int4-asym', 'int3-sym'])(
    'decides between ranges that are almost equally good: %s',
    async (name) => {
      const cases = (['mse', 'clip'] as const).flatMap((search) =>
        makeCloseScenes().map((scene) => ({
          format: parseFormat(`${name}:g32+${search}`),
          scaleDtype: 'f32' as const,
          scene,
        })),
      );
      const results = await compareWithReference(gpu, cases);
      expect(results.map((result) => describeDifference(result)).filter(Boolean)).toEqual([]);
    },
  );
});
