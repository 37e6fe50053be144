// Comparisons and perplexities on a device that can hold no more than the specification of WebGPU guarantees, and on
// one that can hold far less.
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import { compareWeights } from '../../src/jobs/comparison/compareWeights.js';
import { Backends } from '../../src/jobs/backends/backends.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import { layOutBlock } from '../../src/model/evaluation/placement.js';
import { inFormat } from '../../src/model/evaluation/variants.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { SAMPLE } from '../support/checkpoints.js';
import { serveGpu, type ServedGpu } from '../support/gpuMachine.js';
import { whyNoGpu } from '../support/gpu.js';
import { GOLDEN_MODELS } from '../support/languageModels.js';
import { sharedPool } from '../support/sharedPool.js';
import {
  expectSameErrors,
  expectSameWeights,
  limitBuffers,
  machineOn,
  TINY_BUFFER_BYTES,
} from '../support/smallGpu.js';

const why = await whyNoGpu();
if (why) console.warn(`Devices with small limits are not tested: ${why}`);

/** One of each shader. */
const FORMATS = [
  'int4-asym:g32',
  'int3-absmax:g64',
  'dint4:g32',
  'afp4-e2m1:g32',
  'anf4:g32',
  'mxfp4',
  'bnb-nf4',
  'q4_0',
  'bf16',
];
const SEARCHES = ['int3-asym:g32+mse', 'nf3:g32+clip'];
/** Holds the logits of a window of twelve tokens, but not the sample's embedding. */
const SMALL_BUFFER_BYTES = 1 << 20;
const MAX_RELATIVE_NLL = 1e-4;

describe.skipIf(why)('a device with the limits that the specification guarantees', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu({ smallestLimits: true });
  });
  afterAll(() => served.close());

  it('compares a tensor of the sample as threads do', async () => {
    const pool = await sharedPool();
    const model = await openLocalModel(SAMPLE);
    const request = {
      formats: [...FORMATS, ...SEARCHES],
      tensors: ['model.layers.0.self_attn.k_proj.weight'],
    };
    const backends = new Backends('webgpu', served);
    const one = { ...request, formats: FORMATS.slice(0, 1) };
    const onGpu = await compareWeights(pool, model, one, { backends });
    expect(onGpu.timings.backend).toBe('webgpu');
    const [tensor] = model.tensors.filter(({ name }) => name === request.tensors[0]);
    const machine = machineOn(served, pool);
    await expectSameErrors(machine, tensor, request.formats);
    for (const format of request.formats) await expectSameWeights(machine, tensor, format);
    await machine.end();
  });
});

describe.skipIf(why)('a device with tiny buffers', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu({ smallestLimits: true });
    limitBuffers(served, TINY_BUFFER_BYTES);
  });
  afterAll(() => served.close());

  it.each(['0.mlp.down_proj.weight', 'embed_tokens.weight'])(
    'compares a tensor that is larger than they are, to the bit: %s',
    async (name) => {
      const { tensors } = await openLocalModel(join(GOLDEN_MODELS, 'qwen2-tied'));
      const tensor = tensors.find((each) => each.name.endsWith(name))!;
      expect(tensor.elements * 4).toBeGreaterThan(TINY_BUFFER_BYTES);
      const machine = machineOn(served, await sharedPool(), TINY_BUFFER_BYTES / 8);
      await expectSameErrors(machine, tensor, [...FORMATS, ...SEARCHES]);
      for (const format of FORMATS) await expectSameWeights(machine, tensor, format);
      await machine.end();
    },
  );
});

describe.skipIf(why)('a device with buffers smaller than a vocabulary', () => {
  let served: ServedGpu;
  beforeAll(async () => {
    served = await serveGpu({ smallestLimits: true });
    limitBuffers(served, SMALL_BUFFER_BYTES);
  });
  afterAll(() => served.close());

  it('measures perplexities, the vocabulary and the weights of a block in several buffers', async () => {
    const model = await planLanguageModel(await openLocalModel(SAMPLE));
    const { head, vocabularySize, blocks } = model.plan;
    expect(head.outputs * head.inputs * 4).toBeGreaterThan(SMALL_BUFFER_BYTES);
    expect(layOutBlock(blocks[0], 0, model.plan.hiddenSize).bytes).toBeGreaterThan(
      SMALL_BUFFER_BYTES,
    );
    const windows = [0, 1].map((window) =>
      Int32Array.from({ length: 12 }, (_, i) => (i * i * 131 + 5 + window) % vocabularySize),
    );
    const names = model.opened.tensors
      .filter(({ quantizedByDefault }) => quantizedByDefault)
      .map(({ name }) => name);
    const variants = ['int4-asym:g32', 'q4_k'].map((id) => ({
      id,
      changes: inFormat(parseFormat(id), names),
    }));
    const settings = { scaleDtype: 'f16', memoryBudgetBytes: 1 << 20 } as const;
    const pool = await sharedPool();
    const machine = machineOn(served, pool, SMALL_BUFFER_BYTES / 8);
    const request = { model, windows, variants, settings };
    const got = await evaluate({ ...request, pool: machine });
    await machine.end();
    const wanted = await evaluate({ ...request, pool });
    const scoresOf = ({ baseline, variants: others }: typeof got) => [baseline, ...others];
    scoresOf(got).forEach((scores, index) =>
      scores.forEach(({ nll }, window) => {
        const expected = scoresOf(wanted)[index][window].nll;
        expect(Math.abs(nll / expected - 1)).toBeLessThan(MAX_RELATIVE_NLL);
      }),
    );
  });
});
