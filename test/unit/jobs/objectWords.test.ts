import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findFormatEntry } from '../../../src/formats/index.js';
import { quantizeToFile } from '../../../src/jobs/node/quantizeToFile.js';
import { describeModel } from '../../../src/jobs/inspection/describeModel.js';
import { planLanguageModel } from '../../../src/model/config/languageModel.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { makeTextEncoder } from '../../../src/model/text/textEncoder.js';
import { formatReportJson } from '../../../src/reports/present.js';
import { temporaryFolder } from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn } from '../../support/jobs.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';
import { rawFile } from '../../support/rawSafetensors.js';

/** Words that every object of JavaScript answers to, unless it is asked for what it owns. */
const WORDS = [
  '__proto__',
  'constructor',
  'toString',
  'valueOf',
  'hasOwnProperty',
  '__defineGetter__',
];

/** A checkpoint of equal matrices, one for each name; metadata has a key for each word. */
async function modelOf(names: readonly string[], files: Record<string, string> = {}) {
  const folder = await temporaryFolder();
  const bytes = Buffer.from(Float32Array.from({ length: 64 }, (_, i) => Math.sin(i)).buffer);
  const entries = names.map((name, i) => {
    const at = [i * bytes.length, (i + 1) * bytes.length];
    return `${JSON.stringify(name)}:{"dtype":"F32","shape":[2,32],"data_offsets":${JSON.stringify(at)}}`;
  });
  const metadata = WORDS.map((word) => `${JSON.stringify(word)}:"said of ${word}"`);
  const header = `{"__metadata__":{${metadata.join(',')}},${entries.join(',')}}`;
  await writeFile(
    join(folder, 'model.safetensors'),
    rawFile(header, Buffer.concat(names.map(() => bytes))),
  );
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  return openLocalModel(folder);
}

describe('words that objects answer to, as names of a checkpoint', () => {
  const names = [...WORDS, ...WORDS.map((word) => `${word}.0.${word}.weight`)];

  it('are names of tensors, layers and metadata like any other', async () => {
    const described = describeModel(await modelOf(names));
    expect(described.tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(described.layers.map(({ layer }) => layer)).toEqual(
      expect.arrayContaining(WORDS.map((word) => `${word}.0`)),
    );
    const { metadata } = JSON.parse(formatReportJson(described)) as { metadata: object };
    expect(Object.entries(metadata)).toEqual(WORDS.map((word) => [word, `said of ${word}`]));
  });

  it('are compared with the same numbers as any other', async () => {
    const model = await modelOf([...names, 'plain.0.weight']);
    const report = await compareOn(await sharedPool(), model, {
      formats: ['int4:g32'],
      tensors: [...names, 'plain.0.weight'],
    });
    const [{ tensors }] = report.formats;
    expect(tensors).toHaveLength(names.length + 1);
    expect(new Set(tensors.map(({ mse }) => mse)).size).toBe(1);
  });

  it('are written', async () => {
    const model = await modelOf(names);
    const out = join(await temporaryFolder(), 'out.safetensors');
    await quantizeToFile(await sharedPool(), model, {
      format: 'int4:g32',
      tensors: names,
      out,
    });
    const written = await openLocalModel(out);
    expect(written.tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(Object.entries(written.metadata)).toEqual(
      expect.arrayContaining(WORDS.map((word) => [word, `said of ${word}`])),
    );
  });

  it('are tensors and shards of an index', async () => {
    const folder = await temporaryFolder();
    const { folder: from } = await modelOf(names);
    const bytes = await readFile(join(from, 'model.safetensors'));
    await writeFile(join(folder, '__proto__'), bytes);
    const map = names.map((name) => `${JSON.stringify(name)}:"__proto__"`).join(',');
    await writeFile(
      join(folder, 'model.safetensors.index.json'),
      `{"metadata":{"__proto__":{"total_size":1}},"weight_map":{${map}}}`,
    );
    const opened = await openLocalModel(join(folder, 'model.safetensors.index.json'));
    expect(opened.tensors.map(({ name }) => name).sort()).toEqual([...names].sort());
    expect(opened.problems).toEqual([]);
  });
});

describe.each(WORDS)('%s', (word) => {
  it.each([
    ['model_type', () => ({ model_type: word })],
    ['activation', () => ({ hidden_act: word })],
    ['rotary scaling of type', () => ({ rope_scaling: { rope_type: word } })],
    ['rotary scaling of type', () => ({ rope_scaling: { type: word } })],
  ])('is no %s', async (kind, changes) => {
    const opened = await openLocalModel(join(GOLDEN_MODELS, 'llama-gqa-llama3rope'));
    const config = { ...opened.config, ...changes() };
    await expect(planLanguageModel({ ...opened, config })).rejects.toThrow(
      `${kind} "${word}" is not`,
    );
  });

  it('is no type of layer', async () => {
    const opened = await openLocalModel(join(GOLDEN_MODELS, 'gemma2'));
    const { length } = (await planLanguageModel(opened)).plan.blocks;
    const config = { ...opened.config, layer_types: new Array<string>(length).fill(word) };
    await expect(planLanguageModel({ ...opened, config })).rejects.toThrow(
      `attention of type "${word}" is not supported`,
    );
  });

  it('is no field of a configuration', async () => {
    const { config } = await modelOf(['a'], {
      'config.json': `{"${word}":{"model_type":"llama"}}`,
    });
    expect(Object.keys(config!)).toEqual([word]);
    expect(config!.model_type).toBeUndefined();
  });

  it('is no number format', () => {
    expect(findFormatEntry(word)).toBeUndefined();
  });

  it.each(['BPE', 'WordPiece', 'WordLevel'])('is a token of %s like any other', (type) => {
    const tokens = ['<unk>', 'other', word];
    const vocab = JSON.parse(
      `{${tokens.map((token, id) => `"${token}":${id}`).join(',')}}`,
    ) as object;
    const model = { type, vocab, merges: [], unk_token: '<unk>', ignore_merges: true };
    const tokenizer = { pre_tokenizer: { type: 'WhitespaceSplit' }, model };
    expect([...makeTextEncoder(tokenizer, {})(`other ${word} other`)]).toEqual([1, 2, 1]);
  });

  it('is an added token like any other', () => {
    const model = { type: 'WordLevel', vocab: { '<unk>': 0, other: 1 }, unk_token: '<unk>' };
    const added = [{ id: 2, content: word, special: true }];
    const tokenizer = { pre_tokenizer: { type: 'WhitespaceSplit' }, model, added_tokens: added };
    expect([...makeTextEncoder(tokenizer, {})(`other ${word} other`)]).toEqual([1, 2, 1]);
  });
});
