import { copyFile, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { describeModel } from '../../src/jobs/inspection/describeModel.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { temporaryFolder } from '../support/checkpoints.js';
import { sharedPool } from '../support/sharedPool.js';
import { compareOn } from '../support/jobs.js';
import { measure } from '../support/perplexity.js';

// Small models whose weights are stored in parts, as published checkpoints of each kind are. The
// perplexities are those of a forward pass in double precision that shares no code with ours.
const folderOf = (name: string) => join(import.meta.dirname, '../fixtures/stored', name);

describe('a model whose weights are stored in parts', () => {
  test.each([
    ['fp8-block-qwen3', 31.263558552252963],
    ['fp8-tensor-scale', 36.581382371194465],
    ['int8-w8a8', 32.749251839993676],
  ])('%s has the perplexity of its decoded weights', async (name, perplexity) => {
    const folder = folderOf(name);
    const { baseline, model } = await measure(folder, { tokenIdsFile: join(folder, 'ids.json') });
    expect(Math.abs(baseline.perplexity.value / perplexity - 1)).toBeLessThan(1e-5);
    expect(model.notes.join('\n')).toMatch(/weights are decoded from (FP8|INT8)/);
  });

  test.each([
    ['fp8-block-qwen3', 14, 'FP8 E4M3'],
    ['int8-w8a8', 14, 'INT8 per channel'],
    ['bnb-nf4', 14, 'bitsandbytes NF4'],
    ['mlx-4bit', 14, 'MLX 4-bit g64'],
  ])('%s lists weights and never their parts', async (name, count, label) => {
    const model = await openLocalModel(folderOf(name));
    const { tensors } = describeModel(model);
    const stored = tensors.filter(({ storage }) => storage);
    expect(stored).toHaveLength(count);
    expect(stored[0].storage!.label).toContain(label);
    expect(stored.every(({ name }) => name.endsWith('.weight'))).toBe(true);
    const parts = new Set(stored.flatMap(({ storage }) => storage!.parts.map((part) => part.name)));
    for (const { name, storage } of tensors) if (!storage) expect(parts).not.toContain(name);
    // What a part is no target of, its weight is.
    const targets = tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
    expect(targets).toEqual(expect.arrayContaining(stored.filter((each) => each.role === 'other')));
    expect(targets.filter(({ name }) => parts.has(name) && !/\.weight$/.test(name))).toEqual([]);
  });

  test('its errors are those of decoded weights, and the report says from what', async () => {
    const pool = await sharedPool();
    const model = await openLocalModel(folderOf('fp8-tensor-scale'));
    const report = await compareOn(pool, model, { formats: ['int8:row', 'f32'] });
    expect(report.model.dtype).toBe('FP8 E4M3, scale per tensor');
    const [int8] = report.formats;
    expect(int8.tensors).toHaveLength(14);
    expect(int8.summary.sqnrDb).toBeGreaterThan(30);
  });

  test('experts in MXFP4 are weights of three dimensions, their biases and blocks no targets', async () => {
    const { tensors } = await openLocalModel(folderOf('gpt-oss-mxfp4'));
    const experts = tensors.filter(({ storage }) => storage);
    expect(experts.map(({ shape }) => shape.length)).toEqual(experts.map(() => 3));
    expect(experts.map(({ storage }) => storage!.label)).toContain('MXFP4 experts');
    expect(tensors.some(({ name }) => /_(blocks|scales)$/.test(name))).toBe(false);
  });

  test('what cannot be decoded is said and refused for that reason', async () => {
    const folder = await temporaryFolder();
    await copyFile(
      join(folderOf('mlx-4bit'), 'model.safetensors'),
      join(folder, 'model.safetensors'),
    );
    const config = JSON.parse(
      await readFile(join(folderOf('mlx-4bit'), 'config.json'), 'utf8'),
    ) as Record<string, unknown>;
    // Without it, nobody can tell the group size.
    delete config.quantization;
    delete config.quantization_config;
    await writeFile(join(folder, 'config.json'), JSON.stringify(config));
    const model = await openLocalModel(folder);
    const reason = /config\.json does not say its group size/;
    expect(model.notes.map(({ message }) => message).join('\n')).toMatch(reason);
    const targets = model.tensors.filter(({ quantizedByDefault }) => quantizedByDefault);
    expect(targets.filter(({ dtype }) => dtype === 'U32')).toEqual([]);
    expect(targets.filter(({ name }) => /\.(scales|biases)$/.test(name))).toEqual([]);
    const part = model.tensors.find(({ name }) => name.endsWith('.scales'))!;
    expect(part.notQuantizable).toMatch(reason);
    await writeFile(join(folder, 'ids.json'), '[1, 2, 3]');
    const measuring = measure(folder, { tokenIdsFile: join(folder, 'ids.json') });
    await expect(measuring).rejects.toThrow(reason);
  });
});
