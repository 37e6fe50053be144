import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { findOrientation } from '../../../src/model/config/orientation.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { runAtOnce } from '../../../src/storage/slices.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn } from '../../support/jobs.js';
import { folderOf } from '../../support/safetensorsFiles.js';

const GPT2 = fileURLToPath(new URL('../../fixtures/golden-models/gpt2', import.meta.url));
const file = 'model.safetensors';
const C_ATTN = 'h.0.attn.c_attn.weight';
const C_PROJ = 'h.0.attn.c_proj.weight';
const orientationOf = (...given: Parameters<typeof findOrientation>) =>
  runAtOnce(findOrientation(...given));

describe('weights of GPT-2 without a configuration that says so', () => {
  const configurations = {
    'none at all': undefined,
    'one that is cut off': '{"model_type": "gp',
    'one of a relative that cannot be run': '{"model_type": "openai-gpt"}',
    'one without a type': '{}',
  };
  it.each(Object.entries(configurations))('%s: the same numbers, and a note', async (_, config) => {
    const weights = await readFile(join(GPT2, 'model.safetensors'));
    const folder = await folderOf({
      'model.safetensors': weights,
      ...(config === undefined ? {} : { 'config.json': config }),
    });
    const pool = await sharedPool();
    const report = await compareOn(pool, await openLocalModel(folder), { formats: ['int4:row'] });
    const [{ bitsPerWeight, summary }] = report.formats;
    expect(bitsPerWeight.toFixed(3)).toBe('4.469');
    expect(summary.sqnrDb.toFixed(3)).toBe('21.626');
    const { notes } = report.model;
    expect(notes.at(-1)).toMatch(
      /^model\.safetensors: "transformer\.h\.0\.attn\.c_attn\.weight" .* \[inputs × outputs\], as gpt2 has them, by their names and shapes/,
    );
    // The first says what is left out.
    expect(notes.slice(1, -1).join()).toMatch(config?.endsWith('gp') ? /config\.json: / : /^$/);
  });

  it('includes the attention of a decoder to an encoder, whatever wraps the model', () => {
    const shapes = { c_attn: [32, 64], q_attn: [32, 32], c_proj: [32, 32] };
    const decoder = Object.entries(shapes).map(([part, shape]) => ({
      file,
      name: `decoder.transformer.h.0.crossattention.${part}.weight`,
      shape,
    }));
    for (const modelType of ['gpt2', 'vision-encoder-decoder']) {
      const { isTransposed } = orientationOf(modelType, decoder);
      expect(decoder.map(isTransposed), modelType).toEqual([true, true, true]);
    }
  });

  it('a configuration that says so needs no note', async () => {
    const model = await openLocalModel(join(GPT2, 'model.safetensors'));
    expect(model.notes).toEqual([]);
  });
});

describe('the same names from programs that store them the usual way round', () => {
  const usual = [
    { file, name: C_ATTN, shape: [96, 32] },
    { file, name: C_PROJ, shape: [32, 32] },
  ];

  it('are not taken for those of GPT-2', () => {
    const { isTransposed, note } = orientationOf(undefined, usual);
    expect(usual.map(isTransposed)).toEqual([false, false]);
    expect(note).toBeUndefined();
  });

  it('are believed against the configuration, with a note', () => {
    const { isTransposed, note } = orientationOf('gpt2', usual);
    expect(usual.map(isTransposed)).toEqual([false, false]);
    expect(note?.message).toMatch(/\[outputs × inputs\], by their shapes, not .* as gpt2 has them/);
  });

  it('follow the configuration where shapes say nothing', () => {
    const square = [{ file, name: C_PROJ, shape: [32, 32] }];
    expect(square.map(orientationOf('gpt2', square).isTransposed)).toEqual([true]);
    expect(orientationOf('gpt2', square).note).toBeUndefined();
    expect(orientationOf(undefined, square).note?.message).toMatch(/by their names alone/);
    expect(square.map(orientationOf('llama', square).isTransposed)).toEqual([false]);
  });
});
