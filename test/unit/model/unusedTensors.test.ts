import { join } from 'node:path';
import { expect, it } from 'vitest';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import {
  f32Tensor,
  SAMPLE,
  temporaryFolder,
  writeCheckpoint,
  type TestTensor,
} from '../../support/checkpoints.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';
import { readRawSafetensors } from '../../support/rawSafetensors.js';

/** What is said of a golden model with more tensors beside its own, or other fields. */
async function notesOf(
  name: string,
  more: Readonly<Record<string, TestTensor>>,
  changes: object = {},
): Promise<readonly string[]> {
  const path = join(GOLDEN_MODELS, name);
  const own = Object.fromEntries(readRawSafetensors(join(path, 'model.safetensors')));
  const folder = await temporaryFolder();
  await writeCheckpoint({ ...(own as Record<string, TestTensor>), ...more }, folder);
  const { config } = await openLocalModel(path);
  const opened = { ...(await openLocalModel(folder)), config: { ...config, ...changes } };
  return (await planLanguageModel(opened)).plan.notes;
}

const tensor = (...shape: number[]) =>
  f32Tensor(shape, new Float32Array(shape.reduce((product, size) => product * size, 1)));

it('says nothing where all is used', async () => {
  expect(await notesOf('gpt2', {})).toEqual([]);
  expect((await planLanguageModel(await openLocalModel(SAMPLE))).plan.notes).toEqual([]);
});

it('says which layers the configuration leaves out', async () => {
  expect(await notesOf('gpt2', {}, { n_layer: 1 })).toEqual([
    'config.json has 1 layer, the checkpoint 2: h.1 is not used.',
  ]);
  const five = Object.fromEntries(
    [2, 3, 4, 5, 6].map((layer) => [`model.layers.${layer}.mlp.up_proj.weight`, tensor(1)]),
  );
  expect(await notesOf('llama-gqa-llama3rope', five)).toEqual([
    'config.json has 2 layers, the checkpoint 7: layers.2, layers.3, layers.4 and 2 more are not used.',
  ]);
});

it('counts other tensors that nothing reads, and names some', async () => {
  expect(
    await notesOf('llama-gqa-llama3rope', { 'model.layers.0.self_attn.q_proj.bias': tensor(64) }),
  ).toEqual([
    '1 tensor of the checkpoint is not used by the model that config.json describes: "model.layers.0.self_attn.q_proj.bias".',
  ]);
  const tower = Object.fromEntries(
    [0, 1, 2, 3].map((layer) => [`vision_tower.encoder.layers.${layer}.attn.weight`, tensor(2, 2)]),
  );
  expect(await notesOf('llama-gqa-llama3rope', tower)).toEqual([
    expect.stringMatching(
      /^4 tensors .* "vision_tower\.encoder\.layers\.0\.attn\.weight", .* and 1 more\.$/,
    ),
  ]);
});

it('says nothing of tables and masks that every forward pass makes anew', async () => {
  const buffers = {
    'model.layers.0.self_attn.rotary_emb.inv_freq': tensor(8),
    'model.rotary_emb.cos_cached': tensor(8),
    'transformer.h.0.attn.bias': tensor(1, 1, 4, 4),
    'transformer.h.0.attn.masked_bias': tensor(),
    'embeddings.position_ids': tensor(1, 4),
  };
  expect(await notesOf('llama-gqa-llama3rope', buffers)).toEqual([]);
  // A bias of one dimension is no mask.
  expect(await notesOf('gpt2', { 'transformer.h.0.attn.bias': tensor(32) })).toHaveLength(1);
});
