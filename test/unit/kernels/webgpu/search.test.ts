import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../../../src/formats/index.js';
import type { Gpu } from '../../../../src/kernels/webgpu/gpu.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { compareWithReference, describeDifference, listCases } from '../../../support/gpuParity.js';
import { makeCloseScenes, makeWeightScenes } from '../../../support/weightScenes.js';

const why = await whyNoGpu();
const scenes = makeWeightScenes(2).filter(({ weights }) => weights.length < 600);
/** One of each rule; all formats are tried in test/slow. */
const formats = ['int4-asym', 'dint4', 'anf3'];

describe.skipIf(why)('searching ranges on a GPU', () => {
  let gpu: Gpu;
  beforeAll(async () => void (gpu = await openTestGpu({ smallestLimits: true })));
  afterAll(() => gpu.destroy());

  it.each(formats)('finds the range of the reference: %s', async (name) => {
    const some = (offset: number) =>
      scenes.filter((_, i) => (i + formats.indexOf(name) + offset) % 10 === 0);
    const cases = [...listCases(name, some(0), 'mse'), ...listCases(name, some(5), 'clip')];
    const results = await compareWithReference(gpu, cases);
    expect(results.map((result) => describeDifference(result)).filter(Boolean)).toEqual([]);
  });

  it.each(['int4-asym', 'int3-sym', 'dint4', 'afp4-e2m1', 'nf4'])(
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
