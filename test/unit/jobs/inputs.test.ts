import { closeSync, cpSync, openSync, statSync, utimesSync, writeSync } from 'node:fs';
import { cp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import type { OpenedModel } from '../../../src/checkpoint/types.js';
import { quantizeToFile } from '../../../src/jobs/node/quantizeToFile.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { CallOptions } from '../../../src/rpc/rpc.js';
import { SAMPLE, temporaryFolder } from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { compareOn, perplexityOn } from '../../support/jobs.js';
import { refusal } from '../../support/safetensorsFiles.js';

const TENSORS = ['model.layers.0.self_attn.q_proj.weight', 'model.layers.1.mlp.up_proj.weight'];

/** A copy of the sample that may be changed. */
async function sampleCopy(): Promise<{ folder: string; model: OpenedModel }> {
  const folder = join(await temporaryFolder(), 'model');
  await cp(SAMPLE, folder, { recursive: true });
  return { folder, model: await openLocalModel(folder) };
}

/** Writes a byte into a file, whose size and time of change stay what they were. */
function changeInPlace(path: string): void {
  const { size, atime, mtime } = statSync(path);
  const file = openSync(path, 'r+');
  writeSync(file, 'X', size - 1);
  closeSync(file);
  utimesSync(path, atime, mtime);
}

/** Options of a job during which something happens once, at its second word of progress. */
function during(happens: () => void): CallOptions {
  let words = 0;
  return {
    onProgress: () => {
      // The first may be from before anything is read.
      if (++words === 2) happens();
    },
  };
}

describe('a file that changes in place while a job reads it', () => {
  it.each(['config.json', 'model.safetensors'])(
    'keeps what is quantized from appearing: %s',
    async (name) => {
      const { folder, model } = await sampleCopy();
      const outputs = await temporaryFolder();
      const pool = await sharedPool();
      for (const out of [join(outputs, 'q.safetensors'), join(outputs, 'q')]) {
        const change = during(() => changeInPlace(join(folder, name)));
        const request = { format: 'int4', tensors: TENSORS, out };
        const job = quantizeToFile(pool, model, request, change);
        await expect(job).rejects.toThrow(new RegExp(`${name}: the file .*changed .*FileChanged`));
        expect(await readdir(outputs)).toEqual([]);
      }
    },
  );

  it('keeps numbers from being reported', async () => {
    const { folder, model } = await sampleCopy();
    const pool = await sharedPool();
    const change = during(() => changeInPlace(join(folder, 'config.json')));
    const request = { formats: ['int4'], tensors: TENSORS };
    const error = await refusal(() => compareOn(pool, model, request, change));
    expect(error).toMatchObject({ rule: 'FileChanged', file: join(folder, 'config.json') });
  });

  it.each(['eval.txt', 'tokenizer.json'])('keeps perplexities from it, too: %s', async (name) => {
    const { folder, model } = await sampleCopy();
    const pool = await sharedPool();
    const change = during(() => changeInPlace(join(folder, name)));
    const settings = { formats: [], windows: 2, context: 64 };
    const error = await refusal(() => perplexityOn(pool, model, settings, change));
    expect(error).toMatchObject({ rule: 'FileChanged', file: join(folder, name) });
  });
});

describe('what a perplexity reads', () => {
  it('is not replaced by logits, nor is any other file of the model', async () => {
    const { folder, model } = await sampleCopy();
    const text = join(await temporaryFolder(), 'text.txt');
    await writeFile(text, await readFile(join(folder, 'eval.txt')));
    const pool = await sharedPool();
    const before = await Promise.all(
      (await readdir(folder)).map((name) => stat(join(folder, name))),
    );
    const targets = ['config.json', 'tokenizer.json', 'tokenizer_config.json', 'vocab.json'];
    for (const logitsFile of [...targets.map((name) => join(folder, name)), text]) {
      const settings = { formats: [], textFile: text, windows: 1, context: 64, logitsFile };
      const error = await refusal(() => perplexityOn(pool, model, settings));
      expect(error).toMatchObject({ rule: 'WouldOverwriteInput', file: logitsFile });
    }
    const after = await Promise.all(
      (await readdir(folder)).map((name) => stat(join(folder, name))),
    );
    expect(after.map(({ ino, mtimeMs }) => [ino, mtimeMs])).toEqual(
      before.map(({ ino, mtimeMs }) => [ino, mtimeMs]),
    );
    const logitsFile = join(folder, 'logits.safetensors');
    await perplexityOn(pool, model, { formats: [], windows: 1, context: 64, logitsFile });
    expect(await readdir(folder)).toContain('logits.safetensors');
  });
});

describe('an output folder', () => {
  it('is not one that something was put into meanwhile', async () => {
    const { model } = await sampleCopy();
    const pool = await sharedPool();
    const out = join(await temporaryFolder(), 'out');
    const change = during(() => cpSync(SAMPLE, out, { recursive: true }));
    const request = { format: 'int4', tensors: TENSORS, out };
    const job = quantizeToFile(pool, model, request, change);
    await expect(job).rejects.toThrow(/something was put there while the job ran/);
    expect((await readdir(out)).sort()).toEqual((await readdir(SAMPLE)).sort());
    expect(await readdir(join(out, '..'))).toEqual(['out']);
  });

  it('is none of the names of the model', async () => {
    const { folder, model } = await sampleCopy();
    const pool = await sharedPool();
    const out = join(folder, 'generation_config.json');
    const request = { format: 'int4', tensors: TENSORS, out };
    const error = await refusal(() => quantizeToFile(pool, model, request));
    expect(error).toMatchObject({ rule: 'WouldOverwriteInput', file: out });
  });
});
