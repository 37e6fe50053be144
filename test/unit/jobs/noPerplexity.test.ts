import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { createPool, temporaryFolder } from '../../support/checkpoints.js';
import { compareOn, perplexityOn } from '../../support/jobs.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';

const WHY =
  'No finite perplexity comes out for the unquantized model, int4-asym:g32: config.json does not describe these weights, some are not finite themselves, or what they compute outgrows single precision.';

it('a model whose perplexity is no number ends in an error; beside compared weights, in a note', async () => {
  const from = join(GOLDEN_MODELS, 'llama-gqa-llama3rope');
  const folder = await temporaryFolder();
  const bytes = await readFile(join(from, 'model.safetensors'));
  const { tensors } = await openLocalModel(from);
  const norm = tensors.find(({ name }) => name === 'model.norm.weight')!;
  // BF16: 3e38, which overflows as soon as it is multiplied.
  for (let at = 0; at < norm.bytes; at += 2) bytes.writeUInt16LE(0x7f61, norm.offset + at);
  await writeFile(join(folder, 'model.safetensors'), bytes);
  await writeFile(join(folder, 'config.json'), await readFile(join(from, 'config.json')));
  const tokenIdsFile = join(folder, 'ids.json');
  await writeFile(tokenIdsFile, '[[1,2,3,4,5],[9,8,7]]');

  const pool = await createPool();
  const model = await openLocalModel(folder);
  const formats = ['int4:g32'];
  await expect(perplexityOn(pool, model, { formats, tokenIdsFile })).rejects.toThrow(
    `${model.path}: No finite perplexity comes out for the unquantized model: config.json`,
  );
  const report = await compareOn(pool, model, { formats, perplexity: { tokenIdsFile } });
  expect(report.notes[0]).toBe(WHY);
  expect(report.formats[0].summary.mse).toBeGreaterThan(0);
});
