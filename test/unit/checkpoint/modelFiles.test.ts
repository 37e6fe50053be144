import { link, mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { findModelFiles, isModelFileName } from '../../../src/checkpoint/node/modelFiles.js';
import { refuseInputs } from '../../../src/storage/node/outputTarget.js';
import { folderOf, refusal, temporaryFolder } from '../../support/safetensorsFiles.js';

const INDEX = JSON.stringify({
  weight_map: { a: 'first.safetensors', b: 'second.safetensors', c: 'third.safetensors' },
});

/** Which of some outputs would replace a file of the model. */
async function refused(model: string, outputs: readonly string[]): Promise<string[]> {
  const inputs = await findModelFiles(model);
  const names: string[] = [];
  for (const output of outputs) {
    const error = await refuseInputs(output, inputs).catch((reason: unknown) => reason);
    if (error === undefined) continue;
    expect(error).toMatchObject({ rule: 'WouldOverwriteInput', file: output });
    names.push(output);
  }
  return names;
}

describe('the files of a model', () => {
  it('are what lies beside its weights, there or not, in any spelling', async () => {
    const folder = await folderOf({ 'm.safetensors': '', 'config.json': '{}', other: '' });
    const at = (name: string) => join(folder, name);
    const taken = ['m.safetensors', 'config.json', 'tokenizer.json', 'CONFIG.json', 'eval.txt'];
    const outputs = [...taken, 'other', 'out.safetensors', 'logits.json'].map(at);
    expect(await refused(at('m.safetensors'), outputs)).toEqual(taken.map(at));
    const message = (output: string) =>
      refusal(async () => refuseInputs(output, await findModelFiles(at('m.safetensors'))));
    expect((await message(at('config.json'))).detail).toMatch(/^this is "config\.json", an input/);
    expect((await message(at('tokenizer.json'))).detail).toMatch(/the name of a file of the model/);
  });

  it('are the shards of every index beside a shard, the missing ones, too', async () => {
    const files = ['first.safetensors', 'second.safetensors', 'other.safetensors'];
    const folder = await folderOf({
      'x.safetensors.index.json': INDEX,
      'broken.safetensors.index.json': '{',
      ...Object.fromEntries(files.map((name) => [name, name])),
    });
    const at = (name: string) => join(folder, name);
    const outputs = [...files, 'third.safetensors', 'x.safetensors', 'y.safetensors'].map(at);
    const taken = ['first', 'second', 'third', 'x'].map((name) => at(`${name}.safetensors`));
    expect(await refused(at('first.safetensors'), outputs)).toEqual(taken);
    expect(await refused(at('x.safetensors.index.json'), outputs)).toEqual(taken);
  });

  it('are the shards that are numbered in one row', async () => {
    const shard = (number: string, of = '00003') => `model-${number}-of-${of}.safetensors`;
    const folder = await folderOf({ [shard('00001')]: '1', [shard('00002')]: '2' });
    const at = (name: string) => join(folder, name);
    const taken = [shard('00001'), shard('00002'), shard('00003')].map(at);
    const free = [shard('00001', '00004'), 'model.safetensors', 'other-00001-of-00003'].map(at);
    expect(await refused(at(shard('00001')), [...taken, ...free])).toEqual(taken);
  });

  it('are found by any link to them, and through a link to one of them', async () => {
    const folder = await folderOf({
      'model.safetensors.index.json': INDEX,
      'first.safetensors': '1',
      'second.safetensors': '2',
      'config.json': '{}',
    });
    const at = (name: string) => join(folder, name);
    const elsewhere = await temporaryFolder();
    const there = (name: string) => join(elsewhere, name);
    await symlink(at('first.safetensors'), there('opened.safetensors'));
    await symlink(at('second.safetensors'), there('soft'));
    await link(at('config.json'), there('hard'));
    await symlink(folder, there('folder'));
    await mkdir(there('sub'));
    await writeFile(there('free'), '');
    const taken = [
      there('soft'),
      there('hard'),
      there('folder/config.json'),
      there('sub/../folder/tokenizer.json'),
      at('second.safetensors'),
    ];
    expect(await refused(there('opened.safetensors'), [...taken, there('free')])).toEqual(taken);
  });

  it('of a folder are all weights in it', async () => {
    const folder = await folderOf({ 'a.safetensors': 'a', 'b.safetensors': 'b', text: '' });
    const at = (name: string) => join(folder, name);
    const outputs = ['a.safetensors', 'b.safetensors', 'text', 'c.safetensors'].map(at);
    expect(await refused(folder, outputs)).toEqual(outputs.slice(0, 2));
  });

  it('are looked for in vain where there is nothing', async () => {
    expect(await refused('/absent/m.safetensors', ['/absent/out'])).toEqual([]);
  });

  it('have names of their own', () => {
    const names = ['Config.json', 'x.safetensors', 'y.safetensors.index.json', 'table.csv'];
    expect(names.filter(isModelFileName)).toEqual(names.slice(0, 3));
  });
});
