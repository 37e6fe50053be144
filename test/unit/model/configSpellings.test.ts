import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { summarizeConfig } from '../../../src/model/config/configSummary.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { temporaryFolder, writeCheckpoint, type TestTensor } from '../../support/checkpoints.js';
import { readRawSafetensors } from '../../support/rawSafetensors.js';
import { denseFeedForward } from '../../support/languageModels.js';

const LLAMA = fileURLToPath(new URL('../../fixtures/own-models/llama-biases/', import.meta.url));

type Fields = Record<string, unknown>;

/** A small Llama whose configuration and names of tensors are spelled in another way. */
async function spelled(
  config: (fields: Fields) => object,
  rename: (name: string) => string = (name) => name,
  more: Record<string, TestTensor> = {},
) {
  const folder = await temporaryFolder();
  const tensors = Object.fromEntries(
    Array.from(readRawSafetensors(join(LLAMA, 'model.safetensors')), ([name, tensor]) => [
      rename(name),
      tensor as TestTensor,
    ]),
  );
  await writeCheckpoint({ ...tensors, ...more }, folder);
  const fields = JSON.parse(await readFile(join(LLAMA, 'config.json'), 'utf8')) as Fields;
  await writeFile(join(folder, 'config.json'), JSON.stringify(config(fields)));
  return planLanguageModel(await openLocalModel(folder));
}

const same = (fields: Fields) => fields;
const multimodal = (fields: Fields) => ({
  model_type: 'mistral3',
  text_config: fields,
  vision_config: { model_type: 'pixtral' },
});

describe('names of tensors', () => {
  const inModel = (front: string) => (name: string) =>
    name.startsWith('model.') ? front + name.slice('model.'.length) : name;
  it.each<[string, (name: string) => string]>([
    ['_orig_mod.', (name) => `_orig_mod.${name}`],
    ['module.', (name) => `module.${name}`],
    ['module._orig_mod.', (name) => `module._orig_mod.${name}`],
    ['base_model.model.', (name) => `base_model.model.${name}`],
    ['base_layer', (name) => name.replace(/_proj\./, '_proj.base_layer.')],
    ['layers compiled one by one', (name) => name.replace(/(layers\.\d)/, '$1._orig_mod')],
    ['model.language_model.', inModel('model.language_model.')],
    ['language_model.model.', (name) => `language_model.${name}`],
    ['language_model.', inModel('language_model.')],
    ['none', inModel('')],
  ])('%s', async (_, rename) => {
    const { plan } = await spelled(same, rename);
    expect(plan.notes).toEqual([]);
    expect(plan.head.weight).toBe(rename('lm_head.weight'));
    expect(denseFeedForward(plan.blocks[1]).down.bias).toBe(
      rename('model.layers.1.mlp.down_proj.bias'),
    );
  });

  it('are quoted where no prefix is known', async () => {
    await expect(spelled(same, (name) => `student.${name}`)).rejects.toThrow(
      'no "model.layers.0"; names of the checkpoint begin with "student.model.", which no',
    );
  });

  it('of an adapter that is not merged are refused', async () => {
    const lora = { dtype: 'F32', shape: [1, 1], bytes: new Uint8Array(4) } as TestTensor;
    await expect(
      spelled(same, undefined, { 'model.layers.0.mlp.up_proj.lora_A.weight': lora }),
    ).rejects.toThrow('belongs to an adapter that is not merged into the weights');
  });
});

describe('a configuration within', () => {
  it('is that of the language model', async () => {
    const vision = { dtype: 'F32', shape: [1, 1], bytes: new Uint8Array(4) } as TestTensor;
    const { plan, opened } = await spelled(multimodal, (name) => `language_model.${name}`, {
      'vision_tower.patch.weight': vision,
    });
    expect(plan.modelType).toBe('llama');
    expect(plan.notes).toEqual([
      '1 tensor of the checkpoint is not used by the model that config.json describes: "vision_tower.patch.weight".',
    ]);
    expect(summarizeConfig(opened.config)).toMatch(/^2 layers · hidden 32 · 4 heads/);
  });

  it('is named where it cannot be run, or where a field is wrong', async () => {
    await expect(
      spelled((fields) => multimodal({ ...fields, model_type: 'mamba' })),
    ).rejects.toThrow('model_type "mamba" of "text_config" is not an architecture');
    await expect(spelled((fields) => multimodal({ ...fields, rms_norm_eps: -1 }))).rejects.toThrow(
      '"text_config": "rms_norm_eps" is not a positive number',
    );
  });
});

describe('rotary settings', () => {
  const frequencies = async (changes: object) => {
    const { plan } = await spelled(({ rope_theta: _, ...fields }) => ({ ...fields, ...changes }));
    return { ...plan.rotary!, notes: plan.notes };
  };

  it('mean the same in every spelling', async () => {
    const linear = { factor: 4, rope_type: 'linear' };
    const expected = await frequencies({ rope_theta: 5e5, rope_scaling: linear });
    expect(expected.frequencies[1]).toBeCloseTo(5e5 ** (-1 / 6) / 4, 7);
    for (const changes of [
      { rope_parameters: { ...linear, rope_theta: 5e5 } },
      { rope_parameters: linear, rope_theta: 5e5 },
      { rope_parameters: null, rope_theta: 5e5, rope_scaling: { type: 'linear', factor: 4 } },
      { rope_scaling: { ...linear, rope_theta: 5e5 } },
      { rope_scaling: {}, rope_parameters: { ...linear, rope_theta: 5e5 } },
      { rope_scaling: linear, rope_theta: 5e5, rope_parameters: { rope_type: 'default' } },
      { rope_parameters: { full_attention: { ...linear, rope_theta: 5e5 } } },
    ]) {
      expect(await frequencies(changes), JSON.stringify(changes)).toEqual(expected);
    }
  });

  it('fall back to the default of the architecture, and say so', async () => {
    const { frequencies: used, notes } = await frequencies({ rope_parameters: {} });
    expect(used[1]).toBeCloseTo(1e4 ** (-1 / 6), 6);
    expect(notes).toEqual(['config.json has no "rope_theta"; 10000 is assumed']);
  });
});
