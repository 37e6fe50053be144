import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import type { ComparisonReport } from '../../src/reports/reports.js';
import { makeTwins } from '../support/ggufTwins.js';
import { sharedPool } from '../support/sharedPool.js';
import { compareOn } from '../support/jobs.js';

async function compareTwins(folder: string, against = 'twin.gguf'): Promise<ComparisonReport> {
  await writeFile(join(folder, 'ids.json'), JSON.stringify([IDS]));
  const perplexity = { tokenIdsFile: join(folder, 'ids.json') };
  const other = await openLocalModel(join(folder, against));
  const model = await openLocalModel(join(folder, 'model.safetensors'));
  return compareOn(await sharedPool(), model, { formats: [], against: other, perplexity });
}

const IDS = Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 96);

describe('a model against the GGUF file that a converter makes of it', () => {
  it.each<[name: string, changes?: Readonly<Record<string, unknown>>]>([
    // Permuted queries and keys; frequencies as factors.
    ['llama-gqa-llama3rope'],
    ['llama-tied-nohead'],
    ['qwen3-tied'],
    // Norms with 1 added.
    ['gemma2', { query_pre_attn_scalar: 16 }],
    ['phi3'],
    // Weights the other way round.
    ['gpt2'],
    ['gpt_neox-parallel'],
  ])('%s: has the same weights and the same perplexity', async (name, changes = {}) => {
    const { folder } = await makeTwins(name, changes);
    const { formats, against, baseline, model } = await compareTwins(folder);
    const [twin] = formats;
    expect(formats).toHaveLength(1);
    expect(twin.id).toBe('twin.gguf');
    expect(against?.path).toBe(join(folder, 'twin.gguf'));
    // What is converted is all there: only buffers that are no weights are left behind.
    const left = twin.notes.filter((note) => note.startsWith('Not compared'));
    for (const note of left) expect(note).toMatch(/inv_freq|\.bias"|rope_/);
    expect(twin.summary.parameters).toBeGreaterThan(0.99 * model.parameters);
    // Norms of gemma had 1 added in single precision.
    const most = name.startsWith('gemma') ? 1e-7 : 0;
    expect(twin.summary.maxAbsError).toBeLessThanOrEqual(most);
    expect(twin.perplexity?.klDivergence).toBeLessThan(1e-6);
    expect(twin.perplexity?.value).toBeCloseTo(baseline.perplexity!.value, 3);
  });

  it('quantized: has the errors and the perplexity of the same blocks made here', async () => {
    const { folder } = await makeTwins('llama-gqa-llama3rope', {}, 'q8_0');
    const other = await openLocalModel(join(folder, 'twin.gguf'));
    const model = await openLocalModel(join(folder, 'model.safetensors'));
    const request = { formats: ['q8_0'], against: other };
    const { formats } = await compareOn(await sharedPool(), model, request);
    const [twin, here] = formats;
    expect(twin.tensors.map(({ name, storedAs }) => [name, storedAs])).toEqual(
      here.tensors.map(({ name }) => [name, 'Q8_0']),
    );
    for (const [i, tensor] of twin.tensors.entries()) {
      expect(tensor.mse).toBeCloseTo(here.tensors[i].mse, 15);
      expect(tensor.maxAbsError).toBe(here.tensors[i].maxAbsError);
    }
    expect(twin.bitsPerWeight).toBe(8.5);
    expect(twin.summary.rmseOverStep).toBeNaN();
    const all = await compareTwins(folder);
    expect(all.formats[0].summary.tensors).toBeGreaterThan(twin.summary.tensors);
    expect(all.formats[0].perplexity?.klDivergence).toBeGreaterThan(0);
  });

  it('is not run in the place of the model where it computes otherwise', async () => {
    const { folder } = await makeTwins('llama-tied-nohead');
    const path = join(folder, 'config.json');
    const config = JSON.parse(await readFile(path, 'utf8')) as object;
    await writeFile(path, JSON.stringify({ ...config, rms_norm_eps: 0.125 }));
    await expect(compareTwins(folder)).rejects.toThrow(
      /twin\.gguf: it computes otherwise than .*model\.safetensors \(blocks\.0\.\S+epsilon; .*more\); its perplexity can be measured by itself only/,
    );
  });
});
