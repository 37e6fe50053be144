import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import type { ModelPlan } from '../../../src/model/config/plan.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';

const OWN_MODELS = fileURLToPath(new URL('../../fixtures/own-models/', import.meta.url));
const FOLDERS = [GOLDEN_MODELS, OWN_MODELS].flatMap((parent) =>
  readdirSync(parent, { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => ({ name, path: join(parent, name) })),
);

/** The plan of a model whose configuration has other values in some fields. */
async function planWith(name: string, changes: object): Promise<ModelPlan> {
  const opened = await openLocalModel(FOLDERS.find((folder) => folder.name === name)!.path);
  const config = { ...opened.config, ...changes };
  return (await planLanguageModel({ ...opened, config })).plan;
}

const LLAMA = 'llama-gqa-llama3rope';
const llama3 = {
  rope_type: 'llama3',
  factor: 8,
  low_freq_factor: 1,
  high_freq_factor: 4,
  original_max_position_embeddings: 64,
};
const ones = new Array<number>(8).fill(1);
const longrope = (changes: object) => ({
  rope_scaling: { type: 'longrope', short_factor: ones, long_factor: ones, ...changes },
});

describe('a number that the model cannot have is refused by name', () => {
  it.each([
    [
      LLAMA,
      { num_hidden_layers: 1e9 },
      '"num_hidden_layers" is 1000000000, but the checkpoint has 2 layers: no "model.layers.2"',
    ],
    [
      LLAMA,
      { num_hidden_layers: 3 },
      '"num_hidden_layers" is 3, but the checkpoint has 2 layers: no "model.layers.2"',
    ],
    [
      LLAMA,
      { num_hidden_layers: 1e15 },
      '"num_hidden_layers" is not a whole number from 1 to 2147483647: it is 1000000000000000',
    ],
    [
      'gpt2',
      { n_layer: 1e9 },
      '"n_layer" is 1000000000, but the checkpoint has 2 layers: no "transformer.h.2"',
    ],
    [
      LLAMA,
      { num_attention_heads: 1e9 },
      'has shape [64, 64]; config.json asks for [16000000000, 64]',
    ],
    [LLAMA, { head_dim: 1e9 }, 'config.json asks for [4000000000, 64]'],
    [LLAMA, { vocab_size: 2 ** 31 }, '"vocab_size" is not a whole number from 1'],
    [
      LLAMA,
      { max_position_embeddings: 1 },
      '"max_position_embeddings" is not a whole number from 2',
    ],
    [LLAMA, { rms_norm_eps: -1 }, '"rms_norm_eps" is not a positive number'],
    [LLAMA, { rms_norm_eps: 0 }, '"rms_norm_eps" is not a positive number'],
    [LLAMA, { rms_norm_eps: 1e-60 }, '"rms_norm_eps" is not a positive number'],
    [LLAMA, { rms_norm_eps: 1e60 }, '"rms_norm_eps" is not a positive number'],
    [LLAMA, { rms_norm_eps: Infinity }, '"rms_norm_eps" is not a positive number'],
    [LLAMA, { rope_theta: 0 }, '"rope_theta" is not a positive number'],
    [LLAMA, { rope_theta: 1e-36, rope_scaling: null }, 'the rotary encoding turns too fast'],
    [
      LLAMA,
      { rope_scaling: { ...llama3, factor: 0 } },
      '"rope_scaling": "factor" is not a positive number',
    ],
    [
      LLAMA,
      { rope_scaling: { ...llama3, low_freq_factor: 4 } },
      '"low_freq_factor" 4 is not below "high_freq_factor" 4',
    ],
    [
      LLAMA,
      { rope_scaling: { ...llama3, original_max_position_embeddings: 0 } },
      '"original_max_position_embeddings" is not a whole number from 1',
    ],
    [LLAMA, { rope_scaling: { type: 'linear', factor: -2 } }, '"factor" is not a positive number'],
    [LLAMA, { rope_scaling: { type: 'dynamic', factor: 0 } }, '"factor" is not a positive number'],
    [
      LLAMA,
      { rope_scaling: null, rope_parameters: { rope_theta: -1 } },
      '"rope_parameters": "rope_theta" is not a positive number',
    ],
    ['phi3-longrope-short', longrope({ short_factor: [1] }), '"short_factor" has 1 entry, not 8'],
    [
      'phi3-longrope-short',
      longrope({ long_factor: [...ones.slice(1), 0] }),
      '"long_factor[7]" is not a positive number',
    ],
    [
      'phi3-longrope-short',
      longrope({ short_factor: [...ones.slice(1), '1'] }),
      '"short_factor[7]" is not a positive number',
    ],
    [
      'phi3-longrope-short',
      longrope({ attention_factor: -1 }),
      '"attention_factor" is not a positive number',
    ],
    [
      'phi3-longrope-short',
      { original_max_position_embeddings: 1 },
      '"original_max_position_embeddings" is not a whole number from 2',
    ],
    [
      'phi3-longrope-short',
      { partial_rotary_factor: 2 },
      '"partial_rotary_factor" is not a number above 0 and at most 1',
    ],
    ['gpt_neox-parallel', { rotary_pct: -0.5 }, '"rotary_pct" is not'],
    ['gemma2', { query_pre_attn_scalar: 0 }, '"query_pre_attn_scalar" is not a positive number'],
    ['gemma2', { attn_logit_softcapping: 0 }, '"attn_logit_softcapping" is not a positive number'],
    [
      'gemma2',
      { final_logit_softcapping: -30 },
      '"final_logit_softcapping" is not a positive number',
    ],
    ['gemma2', { layer_types: ['full_attention'] }, '"layer_types" has 1 entry, not'],
    ['mistral-swa', { sliding_window: 0 }, '"sliding_window" is not a whole number from 1'],
    [
      'qwen2-upper-window',
      { max_window_layers: -1 },
      '"max_window_layers" is not a whole number from 0',
    ],
  ])('%s %j', async (name, changes, message) => {
    await expect(planWith(name, changes)).rejects.toThrow(message);
  });

  it('names the file', async () => {
    await expect(planWith(LLAMA, { rms_norm_eps: -1 })).rejects.toThrow(
      /llama-gqa-llama3rope.config\.json: "rms_norm_eps"/,
    );
  });
});

/** All numbers of a plan. */
function* numbersIn(value: unknown): Generator<number> {
  if (typeof value === 'number') yield value;
  else if (ArrayBuffer.isView(value)) yield* value as Float32Array;
  else if (typeof value === 'object' && value !== null) {
    for (const each of Object.values(value)) yield* numbersIn(each);
  }
}

/** Every field of a configuration that holds a number, those of objects within included. */
function* numberFields(
  fields: Readonly<Record<string, unknown>>,
): Generator<(value: unknown) => object> {
  for (const [key, held] of Object.entries(fields)) {
    if (typeof held === 'number') yield (value) => ({ [key]: value });
    else if (Array.isArray(held) && held.every((each) => typeof each === 'number')) {
      yield (value) => ({ [key]: [...held.slice(1), value] });
    } else if (typeof held === 'object' && held !== null && !Array.isArray(held)) {
      for (const change of numberFields(held as Record<string, unknown>)) {
        yield (value) => ({ [key]: { ...held, ...change(value) } });
      }
    }
  }
}

const WRONG = [
  -1,
  -0.5,
  0,
  0.5,
  1e-60,
  1e9,
  1e15,
  1e60,
  Infinity,
  -Infinity,
  'NaN',
  '4',
  [],
  {},
  true,
];

describe('whatever a field holds, a plan has only numbers to compute with', () => {
  it.each(FOLDERS)('$name', async ({ path }) => {
    const opened = await openLocalModel(path);
    let refused = 0;
    for (const change of numberFields(opened.config!)) {
      for (const value of WRONG) {
        const config = { ...opened.config, ...change(value) };
        const outcome = await planLanguageModel({ ...opened, config }).catch(
          (error: Error) => error.message,
        );
        if (typeof outcome === 'string') {
          refused++;
          expect(outcome).toMatch(
            /^[^\n]*(config\.json|safetensors|the architecture needs)[^\n]*$/,
          );
          expect(outcome.length).toBeLessThan(500);
          continue;
        }
        for (const number of numbersIn(outcome.plan)) {
          expect(Math.fround(number)).toBeGreaterThanOrEqual(0);
          expect(Math.fround(number)).toBeLessThan(Infinity);
        }
        expect(outcome.plan.blocks.length).toBeLessThan(10);
      }
    }
    expect(refused).toBeGreaterThan(WRONG.length);
  });
});

describe('what is missing is as in the original code, what is null is switched off', () => {
  const cap = async (changes: object) => (await planWith('gemma2', changes)).logitSoftCap;

  it('takes caps so', async () => {
    expect(await cap({ final_logit_softcapping: undefined })).toBe(30);
    expect(await cap({ final_logit_softcapping: null })).toBe(0);
  });
});
