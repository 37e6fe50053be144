import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { Gpu } from '../../../../src/kernels/webgpu/gpu.js';
import { openTestGpu, whyNoGpu } from '../../../support/gpu.js';
import { compareWithReference, describeDifference, listCases } from '../../../support/gpuParity.js';
import { makeWeightScenes } from '../../../support/weightScenes.js';

const why = await whyNoGpu();
if (why) console.warn(`GPU kernels are not tested: ${why}`);
const scenes = makeWeightScenes();
/** The commonest rules, each of which is compiled, with each scaling; all formats are tried in test/slow. */
const formats = [
  'int4-asym',
  'int3-absmax',
  'afp4-e2m1',
  'nf3',
  'amxfp4',
  'mxfp4',
  'mxfp4-ceil',
  'mxfp4-round',
  'nvfp4',
  'bnb-nf4',
];

describe.skipIf(why)('quantizing on a GPU', () => {
  let gpu: Gpu;
  beforeAll(async () => void (gpu = await openTestGpu()));
  afterAll(() => gpu.destroy());

  it.each(formats)('gives the bits of the reference: %s', async (name) => {
    // A third of the scenes for each format.
    const some = scenes.filter((_, i) => (i + formats.indexOf(name)) % 3 === 0);
    const results = await compareWithReference(gpu, listCases(name, some));
    expect(results.map((result) => describeDifference(result)).filter(Boolean)).toEqual([]);
  });
});
