import { cp, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { temporaryFolder, writeCheckpoint, type TestTensor } from '../../support/checkpoints.js';
import { readRawSafetensors } from '../../support/rawSafetensors.js';

const fixture = (name: string) =>
  fileURLToPath(new URL(`../../fixtures/${name}/`, import.meta.url));
const LLAMA = fixture('own-models/llama-biases');
const TIED = fixture('own-models/llama-tied-both-stored');

/** A model folder with some fields of its configuration and some tensors changed. */
async function changed(
  from: string,
  config: object | undefined,
  change: (tensors: Record<string, TestTensor>) => void = () => undefined,
) {
  const folder = await temporaryFolder();
  const tensors = Object.fromEntries(readRawSafetensors(join(from, 'model.safetensors')));
  change(tensors as Record<string, TestTensor>);
  await writeCheckpoint(tensors as Record<string, TestTensor>, folder);
  if (config) {
    const text = await readFile(join(from, 'config.json'), 'utf8');
    const fields = { ...(JSON.parse(text) as object), ...config };
    await writeFile(join(folder, 'config.json'), JSON.stringify(fields));
  }
  return planLanguageModel(await openLocalModel(folder));
}

describe('opening a model', () => {
  it('names an architecture that cannot be run, and says what still works', async () => {
    await expect(changed(LLAMA, { model_type: 'mamba' })).rejects.toThrow(
      /config\.json: model_type "mamba" is not an architecture that can be run \(known: llama, .*\); viewing, quantizing and comparing weights work/,
    );
    await expect(changed(LLAMA, { model_type: 5 })).rejects.toThrow('"model_type" is missing');
    await expect(changed(LLAMA, undefined)).rejects.toThrow('there is no config.json');
  });

  it('names the tensor that is missing or misshapen', async () => {
    const name = 'model.layers.1.mlp.down_proj.weight';
    await expect(changed(LLAMA, {}, (tensors) => delete tensors[name])).rejects.toThrow(
      `needs a tensor "${name}", which is not there`,
    );
    await expect(changed(LLAMA, { intermediate_size: 41 })).rejects.toThrow(
      '"model.layers.0.mlp.gate_proj.weight" has shape [40, 32]; config.json asks for [41, 32]',
    );
    await expect(changed(LLAMA, {}, (tensors) => delete tensors['lm_head.weight'])).rejects.toThrow(
      'there is no "lm_head.weight", and config.json does not say that it is tied',
    );
  });

  it('refuses settings that it would compute wrongly', async () => {
    const refused = (config: object, message: string) =>
      expect(changed(LLAMA, config)).rejects.toThrow(message);
    await refused({ rope_scaling: { rope_type: 'twist', factor: 4 } }, 'type "twist" is not');
    await refused({ hidden_act: 'mish' }, 'activation "mish" is not supported');
    await refused({ num_key_value_heads: 3 }, '4 attention heads cannot share 3');
    await refused({ hidden_size: '32' }, '"hidden_size" is not a number');
    await refused({ num_hidden_layers: 1.5 }, '"num_hidden_layers" is not a whole number from 1');
    await refused(
      {
        rope_parameters: {
          full_attention: { rope_theta: 1 },
          sliding_attention: { rope_theta: 2 },
        },
      },
      'rotary settings that differ between layers',
    );
  });

  it('says so where it has to assume a rotary base', async () => {
    const { plan } = await changed(LLAMA, { rope_theta: undefined });
    expect(plan.notes).toEqual(['config.json has no "rope_theta"; 10000 is assumed']);
  });

  it('says so where tied weights are stored twice and differ, and only there', async () => {
    const { plan } = await planLanguageModel(await openLocalModel(TIED));
    expect(plan.notes).toHaveLength(1);
    expect(plan.notes[0]).toContain('tied by config.json but stored with different values');
    const equal = await changed(TIED, {}, (tensors) => {
      tensors['model.embed_tokens.weight'] = tensors['lm_head.weight'];
    });
    expect(equal.plan.notes).toEqual([]);
  });
});

it('knows which weights are stored as [inputs × outputs]', async () => {
  const transposed = async (path: string) =>
    (await openLocalModel(path)).tensors.filter((tensor) => tensor.transposed);
  const gpt2 = (await transposed(fixture('golden-models/gpt2'))).map(({ name }) => name);
  expect(gpt2.filter((name) => name.includes('h.0.')).sort()).toEqual([
    'transformer.h.0.attn.c_attn.weight',
    'transformer.h.0.attn.c_proj.weight',
    'transformer.h.0.mlp.c_fc.weight',
    'transformer.h.0.mlp.c_proj.weight',
  ]);
  expect(await transposed(LLAMA)).toEqual([]);
  const folder = await temporaryFolder();
  await cp(join(LLAMA, 'model.safetensors'), join(folder, 'model.safetensors'));
  expect(await transposed(folder)).toEqual([]);
});
