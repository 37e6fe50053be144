import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { ModelTensor } from '../../src/checkpoint/types.js';
import { openLocalModel } from '../../src/model/node/openLocalModel.js';
import { SPLIT_KEYS } from '../../src/gguf/split.js';
import { encodeGguf } from '../../scripts/lib/writeGguf.mjs';
import { createPool, temporaryFolder } from '../support/checkpoints.js';
import { makeSplitGguf } from '../support/ggufFiles.js';
import { makeTwins } from '../support/ggufTwins.js';
import { compareOn } from '../support/jobs.js';

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
async function folderWith(parts: Readonly<Record<number, Uint8Array>>): Promise<string> {
  const path = await temporaryFolder();
  for (const [number, bytes] of Object.entries(parts)) {
    await writeFile(join(path, nameOf(Number(number))), bytes);
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
    const pool = await createPool();
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
    await expect(openLocalModel(path)).rejects.toThrow(/twin-0000[123]-of-00003\.gguf/);
  });
});
