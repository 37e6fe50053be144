import { afterAll, beforeAll, describe, it } from 'vitest';
import { serveGpu, type ServedGpu } from '../support/gpuMachine.js';
import { whyNoGpu } from '../support/gpu.js';
import { checkModelOnGpu, MODELS } from '../support/modelsOnGpu.js';

const why = await whyNoGpu();
if (why) console.warn(`Models on a GPU are not tested: ${why}`);

/** Few of them; all are tried in test/slow. */
const SOME = [
  'golden-models/llama-gqa-llama3rope/',
  'golden-models/gpt2/',
  'own-models/mixtral-fused/',
];

describe.skipIf(why)('on a device', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu();
  });
  afterAll(() => served.close());

  it.each(SOME)('%s', (name) => checkModelOnGpu(MODELS.get(name)!, served));
});
