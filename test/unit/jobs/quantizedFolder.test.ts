import { copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { quantizeToFile } from '../../../src/jobs/node/quantizeToFile.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { createPool, SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';

const SHARDED = join(GOLDEN_MODELS, 'llama-sharded-linear');

/** Copies the files of a folder, all but some. */
async function copyFolder(from: string, without: readonly string[] = []): Promise<string> {
  const folder = join(await temporaryFolder(), 'model');
  await mkdir(folder);
  for (const name of await readdir(from)) {
    if (!without.includes(name)) await copyFile(join(from, name), join(folder, name));
  }
  return folder;
}

async function quantize(model: string) {
  const out = join(await temporaryFolder(), 'out');
  const pool = await createPool();
  const report = await quantizeToFile(pool, await openLocalModel(model), { format: 'int4', out });
  return { out, report };
}

describe('a folder that quantize writes', () => {
  it('is a model: with tokenizer, and a configuration that says what its weights are', async () => {
    const model = await copyFolder(SAMPLE);
    const config = { torch_dtype: 'bfloat16', text_config: { dtype: 'bfloat16' }, cap: Infinity };
    const given = JSON.parse(await readFile(join(model, 'config.json'), 'utf8')) as object;
    const text = JSON.stringify({ ...given, ...config, cap: 'CAP' }).replace('"CAP"', 'Infinity');
    await writeFile(join(model, 'config.json'), text);
    await writeFile(join(model, 'chat_template.jinja'), '{{ x }}');
    await writeFile(join(model, 'notes.txt'), 'mine');
    const { out, report } = await quantize(model);
    const written = await openLocalModel(out);
    expect(written.config).toEqual({
      ...given,
      torch_dtype: 'float32',
      text_config: { dtype: 'float32' },
      cap: Infinity,
    });
    await planLanguageModel(written);
    for (const name of ['tokenizer.json', 'chat_template.jinja']) {
      expect(await readFile(join(out, name))).toEqual(await readFile(join(model, name)));
    }
    expect(await readdir(out)).not.toContain('notes.txt');
    expect([...report.outputs].sort()).toEqual((await readdir(out)).map((name) => join(out, name)));
    expect(report.notes).toEqual([]);
  });

  it('has an index, also where the shards it comes from have none', async () => {
    const index = 'model.safetensors.index.json';
    const { out } = await quantize(await copyFolder(SHARDED, [index]));
    const written = await openLocalModel(out);
    expect(written.path).toBe(join(out, index));
    const original = await openLocalModel(SHARDED);
    expect(written.files.map(({ name }) => name)).toEqual(original.files.map(({ name }) => name));
    expect(written.problems).toEqual([]);
  });

  it('is written without a tokenizer that was not fetched, and says so', async () => {
    const model = await copyFolder(SAMPLE);
    const pointer = 'version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 9\n';
    await writeFile(join(model, 'tokenizer.json'), pointer);
    const { out, report } = await quantize(model);
    expect(await readdir(out)).not.toContain('tokenizer.json');
    expect(report.notes).toHaveLength(1);
    expect(report.notes[0]).toMatch(/tokenizer\.json: .*Git LFS pointer.*not copied$/);
  });
});
