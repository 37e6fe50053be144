import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { planLanguageModel } from '../../src/model/config/languageModel.js';
import { evaluate } from '../../src/model/evaluation/evaluate.js';
import type { LanguageModel } from '../../src/model/evaluation/types.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { sharedPool } from '../support/sharedPool.js';
import { floatValues } from '../support/ggufFiles.js';
import { makeTwins } from '../support/ggufTwins.js';
import { SETTINGS, someWindows } from '../support/languageModels.js';

/** Where the frequencies are stored as rounded factors, logits differ by a little. */
const MAX_DIFFERENCE = 2e-5;

const OWN_MODELS = new URL('../fixtures/own-models/', import.meta.url);

async function logitsOf(model: LanguageModel): Promise<Float32Array> {
  const pool = await sharedPool();
  const logits: Float32Array[] = [];
  await evaluate({
    pool,
    model,
    windows: someWindows(model, [24]),
    settings: { ...SETTINGS, onLogits: async (_, values) => void logits.push(values) },
  });
  return logits[0];
}

it.each<[name: string, changes?: Readonly<Record<string, unknown>>, models?: URL]>([
  ['llama-gqa-llama3rope'],
  ['llama-tied-nohead'],
  ['qwen2-tied'],
  ['qwen3-tied'],
  ['gemma'],
  // The file has no place for another scale than that of the heads.
  ['gemma2', { query_pre_attn_scalar: 16 }],
  ['phi'],
  ['phi3'],
  ['phi3-longrope-short'],
  ['gpt2'],
  ['gpt_neox-parallel'],
  // A file has no place for a window in Mixtral, nor for weights of experts that do not add up to 1.
  ['mixtral-window', { sliding_window: null }, OWN_MODELS],
  ['qwen3_moe-sparse-step', { norm_topk_prob: true }, OWN_MODELS],
])(
  '%s as GGUF has the tensors and the logits of the original',
  async (name, changes = {}, models) => {
    const { folder, tensors } = await makeTwins(name, changes, 'f32', models);
    const original = await planLanguageModel(
      await openLocalModel(join(folder, 'model.safetensors')),
    );
    const twin = await planLanguageModel(await openLocalModel(join(folder, 'twin.gguf')));
    expect(twin.plan.notes).toEqual([]);

    const sources = openStoredSources();
    for (const tensor of twin.opened.tensors) {
      const raw = tensors.get(tensor.name);
      if (!raw) {
        expect(tensor.name).toMatch(/^rope_/);
        continue;
      }
      const bytes = new Uint8Array(tensor.elements * 4);
      await sources.read(tensor.source, tensor.offset, bytes);
      const expected = floatValues(raw);
      const [rows, columns] = raw.shape;
      const isTurned = name === 'gpt2' && /c_\w+\.weight$/.test(tensor.name);
      const values = isTurned
        ? expected.map((_, i) => expected[(i % rows) * columns + Math.floor(i / rows)])
        : expected;
      // The converter added 1 to norms of gemma in single precision.
      const isRounded = name.startsWith('gemma') && tensor.name.endsWith('norm.weight');
      const stored = isRounded ? values.map((value) => Math.fround(value + 1) - 1) : values;
      expect(new Float32Array(bytes.buffer), tensor.name).toEqual(stored);
    }
    await sources.close();

    const expected = await logitsOf(original);
    const reached = await logitsOf(twin);
    expect(reached.length).toBe(expected.length);
    const worst = reached.reduce(
      (most, each, i) => Math.max(most, Math.abs(each - expected[i])),
      0,
    );
    expect(worst).toBeLessThan(MAX_DIFFERENCE);
  },
);
