import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OpenedModel } from '../../../src/checkpoint/types.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';

const MISSING = 'model-00002-of-00002.safetensors: this shard is missing';

/** A model of which a shard is missing, and with it these tensors. */
async function withoutTensors(absent: readonly string[] | undefined): Promise<OpenedModel> {
  const model = await openLocalModel(join(GOLDEN_MODELS, 'llama-gqa-llama3rope'));
  const lost = new Set(absent);
  return {
    ...model,
    tensors: model.tensors.filter(({ name }) => !lost.has(name)),
    problems: [{ file: 'model-00002-of-00002.safetensors', message: MISSING }],
    absent: absent && lost,
  };
}

describe('a model with a shard missing', () => {
  it('runs where nothing of it is lost', async () => {
    const { plan } = await planLanguageModel(await withoutTensors(['mtp.norm.weight']));
    expect(plan.blocks.length).toBeGreaterThan(0);
  });

  it.each([
    ['a weight', ['model.layers.0.mlp.up_proj.weight'], 'model.layers.0.mlp.up_proj.weight'],
    ['the parts of a weight', ['model.layers.1.mlp.up_proj.qweight'], undefined],
    ['a head, which could be tied', ['lm_head.weight'], 'lm_head.weight'],
    ['what nobody names', undefined, undefined],
  ])('is refused where %s is lost, by the shard and the tensor', async (_, absent, named) => {
    const model = await withoutTensors(absent);
    const lost = absent?.map((name) => name.replace('.qweight', '.weight'));
    const tensors = model.tensors.filter(({ name }) => lost?.includes(name) !== true);
    const config = { ...model.config, tie_word_embeddings: absent?.[0] === 'lm_head.weight' };
    const error: unknown = await planLanguageModel({ ...model, tensors, config }).then(
      () => undefined,
      (reason: unknown) => reason,
    );
    const { message } = error as Error;
    expect(message.startsWith(`${MISSING}; an incomplete model cannot be run`)).toBe(true);
    expect(message.split('model-00002')).toHaveLength(2);
    if (named !== undefined) expect(message).toContain(named);
  });

  it('is refused where it is one shard by itself', async () => {
    const loneShard = 'a.safetensors: this is shard 2 of 5';
    const model = { ...(await withoutTensors([])), problems: [], loneShard };
    await expect(planLanguageModel(model)).rejects.toThrow(`${loneShard}; an incomplete model`);
  });
});
