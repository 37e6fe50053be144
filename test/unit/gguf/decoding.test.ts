import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { encodeGguf } from '../../../scripts/lib/writeGguf.mjs';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { temporaryFolder } from '../../support/checkpoints.js';

const ONE = [0x00, 0x3c];
const E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];

async function open(tensors: Parameters<typeof encodeGguf>[1]) {
  const path = join(await temporaryFolder(), 'a.gguf');
  await writeFile(path, encodeGguf([['general.architecture', 'string', 'other']], tensors));
  return openLocalModel(path);
}

/** The values of a tensor of one block. */
async function decode(type: number, elements: number, block: readonly number[]) {
  const data = Uint8Array.from(block);
  const { tensors } = await open([{ name: 'a.weight', shape: [1, elements], type, data }]);
  const [{ source, offset, storage }] = tensors;
  const sources = openStoredSources();
  const values = new Float32Array(elements);
  await sources.read(source, offset, new Uint8Array(values.buffer));
  await sources.close();
  return { label: storage?.label, values: Array.from(values) };
}

/** Codes 0 … 15 in the low half of bytes, 15 … 0 in the high half. */
const nibbles = Array.from({ length: 16 }, (_, i) => i | ((15 - i) << 4));

it('MXFP4: a power of two, halves of the block in halves of the bytes', async () => {
  const { label, values } = await decode(39, 32, [128, ...nibbles]);
  expect(label).toBe('MXFP4');
  const upwards = E2M1.map((value) => 2 * value);
  // ggml's levels are integers, and its codes of −0 decode to 0.
  expect(values).toEqual([...upwards, ...upwards.toReversed()].map((value) => value + 0));
});

it('NVFP4: a scale of 8 bits to 16 weights', async () => {
  const scales = [0x38, 0x40, 0x01, 0x7f];
  const part = nibbles.slice(0, 8);
  const { values } = await decode(40, 64, [...scales, ...part, ...part, ...part, ...part]);
  const once = [...E2M1.slice(0, 8), ...E2M1.slice(8).toReversed()];
  // 1, 2, the least subnormal number, and what would be no number and is taken for 0.
  const expected = [1, 2, 2 ** -9, 0].flatMap((scale) => once.map((value) => scale * value));
  expect(values.map((value) => value + 0)).toEqual(expected.map((value) => value + 0));
});

it('TQ2_0 and TQ1_0: −1, 0 and 1', async () => {
  const levels = Array.from({ length: 256 }, (_, i) => ((i * 7 + (i >> 4)) % 3) - 1);
  const digit = (i: number) => levels[i] + 1;
  const two = new Array<number>(64).fill(0);
  for (let i = 0; i < 256; i++) two[(i >> 7) * 32 + (i % 32)] |= digit(i) << (2 * ((i >> 5) % 4));
  expect((await decode(35, 256, [...two, ...ONE])).values).toEqual(levels);

  // The first weight is the highest digit; a byte is the number as a fraction of 3⁵, rounded up.
  const packed = (indices: readonly number[]) =>
    Math.floor((indices.reduce((sum, i) => sum * 3 + digit(i), 0) * 256 + 242) / 243);
  const one = [
    ...Array.from({ length: 32 }, (_, m) => packed([0, 1, 2, 3, 4].map((n) => m + 32 * n))),
    ...Array.from({ length: 16 }, (_, m) => packed([0, 1, 2, 3, 4].map((n) => 160 + m + 16 * n))),
    ...Array.from({ length: 4 }, (_, j) => {
      const number = [0, 1, 2, 3].reduce((sum, m) => sum * 3 + digit(240 + j + 4 * m), 0) * 3;
      return Math.floor((number * 256 + 242) / 243);
    }),
  ];
  expect((await decode(34, 256, [...one, ...ONE])).values).toEqual(levels);
});

it('blocks that are not decoded are said to be so, and are quantized by nobody', async () => {
  const data = new Uint8Array(66);
  const { tensors, notes } = await open([{ name: 'a.weight', shape: [1, 256], type: 16, data }]);
  expect(notes[0].message).toMatch(/"a\.weight" is stored in a way .*IQ2_XXS/);
  expect(tensors[0].notQuantizable).toMatch(/IQ2_XXS/);
});
