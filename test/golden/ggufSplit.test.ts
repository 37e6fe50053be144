import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ModelTensor } from '../../src/checkpoint/types.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { SPLIT_KEYS } from '../../src/gguf/split.js';
import { encodeGguf } from '../../scripts/lib/writeGguf.mjs';
import { SAMPLE, temporaryFolder } from '../support/checkpoints.js';
import { sharedPool } from '../support/sharedPool.js';
import { run } from '../support/commandLine.js';
import { makeGguf, makeSplitGguf } from '../support/ggufFiles.js';
import { byteLevelKeys, type ConvertedTokenizer } from '../support/ggufTokenizers.js';
import { makeTwins } from '../support/ggufTwins.js';
import { compareOn } from '../support/jobs.js';
import { readRawSafetensors } from '../support/rawSafetensors.js';

const IDS = Array.from({ length: 24 }, (_, i) => (i * 37 + 5) % 96);
const PARTS = 3;
const nameOf = (number: number) => `twin-0000${number}-of-0000${PARTS}.gguf`;

/** A model, the GGUF file made of it, and the same in parts. */
async function makeScene() {
  const { folder, tensors } = await makeTwins('llama-gqa-llama3rope', {}, 'q8_0');
  const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
  return { folder, parts: makeSplitGguf(PARTS, tensors, { ...config }, 'q8_0') };
}

/** A folder with parts, by their numbers from 1, and nothing else. */
async function folderWith(
  parts: Readonly<Record<number, Uint8Array>>,
  name = nameOf,
): Promise<string> {
  const path = await temporaryFolder();
  for (const [number, bytes] of Object.entries(parts)) {
    await writeFile(join(path, name(Number(number))), bytes);
  }
  return path;
}

const numbered = (parts: readonly Buffer[]) =>
  Object.fromEntries(parts.map((bytes, at) => [at + 1, bytes]));

/** What a tensor is, without where it lies. */
const described = ({ name, dtype, shape, storage, role, transposed }: ModelTensor) => ({
  ...{ name, dtype, shape, role, transposed },
  label: storage?.label,
});

describe('a GGUF file in parts', () => {
  it.each([
    ['its first part', nameOf(1)],
    ['its folder', '.'],
  ])('opened by %s, is the model that the whole file is', async (_, path) => {
    const { folder, parts } = await makeScene();
    const whole = await openLocalModel(join(folder, 'twin.gguf'));
    const split = await openLocalModel(join(await folderWith(numbered(parts)), path));
    expect(split.tensors.map(described)).toEqual(whole.tensors.map(described));
    expect(split.files).toHaveLength(PARTS);
    expect(split.problems).toEqual([]);
    expect(split.notes).toEqual(whole.notes);
    expect(split.loneShard).toBeUndefined();
    expect(split.config).toEqual(whole.config);
  });

  it('has the errors and the perplexity of the whole file, to the last bit', async () => {
    const pool = await sharedPool();
    const { folder, parts } = await makeScene();
    const splitFolder = await folderWith(numbered(parts));
    await writeFile(join(folder, 'ids.json'), JSON.stringify([IDS]));
    const perplexity = { tokenIdsFile: join(folder, 'ids.json') };
    const compare = async (path: string) =>
      compareOn(pool, await openLocalModel(path), { formats: ['int4-asym'], perplexity });
    const whole = await compare(join(folder, 'twin.gguf'));
    const split = await compare(join(splitFolder, nameOf(1)));
    expect(split.baseline.perplexity!.value).toBe(whole.baseline.perplexity!.value);
    expect(split.formats[0].summary).toEqual(whole.formats[0].summary);
    expect(split.formats[0].perplexity!.value).toBe(whole.formats[0].perplexity!.value);

    const original = await openLocalModel(join(folder, 'model.safetensors'));
    const against = await openLocalModel(join(splitFolder, nameOf(1)));
    const { formats } = await compareOn(pool, original, { formats: [], against, perplexity });
    expect(formats[0].summary.parameters).toBeGreaterThan(0.99 * whole.model.parameters);
  });

  it('is quantized as the whole file is', async () => {
    const { folder, parts } = await makeScene();
    const splitFolder = await folderWith(numbered(parts));
    const quantize = async (path: string, to: string) => {
      const out = join(folder, to);
      const { code, stderr } = await run('quantize', path, '--format', 'int4:g32', '--out', out);
      expect(code, stderr).toBe(0);
      return readRawSafetensors(out);
    };
    const whole = await quantize(join(folder, 'twin.gguf'), 'whole.safetensors');
    const split = await quantize(join(splitFolder, nameOf(1)), 'split.safetensors');
    expect(whole.size).toBeGreaterThan(10);
    expect(split).toEqual(whole);
  });

  it('is measured on a text by the vocabulary of its first part', async () => {
    const [config, tokenizer] = await Promise.all(
      ['config.json', 'tokenizer.json'].map(
        async (name) => JSON.parse(await readFile(join(SAMPLE, name), 'utf8')) as object,
      ),
    );
    const keys = byteLevelKeys(tokenizer as ConvertedTokenizer, 'gpt-2');
    const tensors = readRawSafetensors(join(SAMPLE, 'model.safetensors'));
    const input = [tensors, { ...config }, 'q8_0', keys] as const;
    const path = await folderWith(numbered(makeSplitGguf(PARTS, ...input)));
    const whole = join(await temporaryFolder(), 'whole.gguf');
    await writeFile(whole, makeGguf(...input));
    const text = join(path, 'text.txt');
    await writeFile(text, (await readFile(join(SAMPLE, 'eval.txt'), 'utf8')).slice(0, 1500));
    const measure = async (model: string) => {
      const options = ['--text', text, '--context', '64', '--no-cache', '--json'];
      const { stdout, stderr } = await run('perplexity', model, ...options);
      if (stdout === '') throw new Error(stderr);
      return (JSON.parse(stdout) as { baseline: { perplexity: { value: number } } }).baseline;
    };
    const measured = await measure(join(path, nameOf(1)));
    expect(measured.perplexity.value).toBeGreaterThan(1);
    expect(measured).toEqual(await measure(whole));
  });

  it('may hold experts', async () => {
    const models = new URL('../fixtures/own-models/', import.meta.url);
    const changes = { norm_topk_prob: true };
    const { folder, tensors } = await makeTwins('qwen3_moe-dense-layer', changes, 'f32', models);
    const config = JSON.parse(await readFile(join(folder, 'config.json'), 'utf8')) as object;
    const path = await folderWith(numbered(makeSplitGguf(PARTS, tensors, { ...config })));
    const whole = await openLocalModel(join(folder, 'twin.gguf'));
    const split = await openLocalModel(path);
    expect(split.tensors.map(described)).toEqual(whole.tensors.map(described));
    expect(split.config).toEqual(whole.config);
    expect(split.tensors.filter(({ name }) => name.includes('.experts.'))).toHaveLength(48);
  });

  it('opened by a later part, is that part under the names of the model, and says how to open all', async () => {
    const { parts } = await makeScene();
    const path = await folderWith(numbered(parts));
    const part = await openLocalModel(join(path, nameOf(2)));
    expect(part.loneShard).toMatch(/this is shard 2 of 3, and not the whole model/);
    expect(part.wholeModel).toBe(join(path, nameOf(1)));
    expect(part.tensors.length).toBeGreaterThan(2);
    expect(part.tensors.every(({ name }) => name.startsWith('model.'))).toBe(true);
    // Without the first nothing says what llama.cpp's names mean.
    const alone = await openLocalModel(join(await folderWith({ 2: parts[1] }), nameOf(2)));
    expect(alone.tensors.map(({ name }) => name)).toContain('blk.0.attn_output.weight');
  });

  it('says what is missing', async () => {
    const { parts } = await makeScene();
    const [first, second, third] = parts;
    const path = await folderWith({ 1: first, 3: third });
    const { problems, tensors } = await openLocalModel(join(path, nameOf(1)));
    expect(problems.map(({ message }) => message).join()).toContain(nameOf(2));
    expect(tensors.every(({ name }) => /^(model\.|lm_head|rope_)/.test(name))).toBe(true);
    const withoutFirst = await openLocalModel(await folderWith({ 2: second, 3: third }));
    expect(withoutFirst.problems.map(({ message }) => message).join()).toContain(nameOf(1));
  });

  const part = (count: number, architecture?: string) =>
    encodeGguf(
      [
        ...(architecture === undefined
          ? []
          : [['general.architecture', 'string', architecture] as const]),
        [SPLIT_KEYS.number, 'uint32', 1] as const,
        [SPLIT_KEYS.count, 'uint32', count] as const,
      ],
      [],
    );

  it.each<[what: string, second: (parts: readonly Buffer[]) => Uint8Array, message: RegExp]>([
    ['of a file in two parts', () => part(2), /"split\.count".*it is "2" here and "3" in/],
    ['of another model', () => part(3, 'gpt2'), /"general\.architecture".*it is "gpt2" here/],
    ['that is the third', ([, , third]) => third, /"split\.no".*it is 2 as in/],
    ['without tensors', () => part(3), /"split\.tensors\.count".*the 3 parts have \d+ tensors/],
  ])('refuses a second part %s, naming file and key', async (_, second, message) => {
    const { parts } = await makeScene();
    const [first, , third] = parts;
    const path = join(await folderWith({ 1: first, 2: second(parts), 3: third }), nameOf(1));
    await expect(openLocalModel(path)).rejects.toThrow(message);
    await expect(openLocalModel(path)).rejects.toThrow(/: "twin-0000[123]-of-00003\.gguf", key "/);
  });

  it.each([2, 4])('is refused where its files are named as %i parts', async (count) => {
    const { parts } = await makeScene();
    const name = (number: number) => `twin-0000${number}-of-0000${count}.gguf`;
    const path = await folderWith({ 1: parts[0], 2: parts[1] }, name);
    const message = `"${name(1)}", key "split.count": it is "3", but this is one of ${count} by its name`;
    await expect(openLocalModel(path)).rejects.toThrow(message);
    await expect(openLocalModel(join(path, name(1)))).rejects.toThrow(message);
  });

  it('is refused where a tensor lies in two parts, naming the second', async () => {
    const tensors = [{ name: 'output.weight', shape: [4], type: 0, data: new Uint8Array(16) }];
    const parts = [0, 1, 2].map((number) =>
      encodeGguf(
        [
          ['general.architecture', 'string', 'llama'],
          [SPLIT_KEYS.number, 'uint32', number],
          [SPLIT_KEYS.count, 'uint32', PARTS],
        ],
        number === 2 ? [] : tensors,
      ),
    );
    await expect(openLocalModel(await folderWith(numbered(parts)))).rejects.toThrow(
      `"${nameOf(2)}", tensor "output.weight": another tensor is "lm_head.weight", too`,
    );
  });
});
