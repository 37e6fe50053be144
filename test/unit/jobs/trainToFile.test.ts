// Training to a file: what is written, what an interrupted run leaves, and what is refused.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { trainToFile, type TrainRequest } from '../../../src/jobs/training/node/trainToFile.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import type { CallOptions } from '../../../src/rpc/rpc.js';
import { sharedPool } from '../../support/sharedPool.js';
import { calibratableModel } from '../../support/textModels.js';

const SETTINGS = { steps: 6, batch: 2, rate: 1e-3, checkEvery: 2 };
const CALIBRATION = { windows: 12, context: 16 };

async function train(
  folder: string,
  out: string,
  { threads = 2, ...more }: Partial<TrainRequest> & { readonly threads?: number } = {},
  options: CallOptions = {},
) {
  const pool = await sharedPool({ threads });
  const request = { format: 'int2-asym:g16', out, calibration: CALIBRATION, settings: SETTINGS };
  return trainToFile(pool, await openLocalModel(folder), { ...request, ...more }, options);
}

/** Stops a run at its second look at the windows held back, whose state is then on disk. */
async function interrupt(folder: string, out: string): Promise<void> {
  const abort = new AbortController();
  let checks = 0;
  const onProgress = ({ message = '' }) => {
    if (message.includes('divergence') && ++checks === 2) abort.abort();
  };
  await expect(train(folder, out, {}, { signal: abort.signal, onProgress })).rejects.toMatchObject({
    name: 'AbortError',
  });
}

describe('training to a file', () => {
  it('writes the model with other weights, and says on what they were trained', async () => {
    const folder = await calibratableModel();
    const out = join(dirname(folder), 'trained');
    const report = await train(folder, out);
    expect(report.checks.map(({ step }) => step)).toEqual([0, 2, 4, 6]);
    expect(report.best.loss).toBe(Math.min(...report.checks.map(({ loss }) => loss)));
    expect([report.windows, report.heldBack, report.resumedAt]).toEqual([10, 2, 0]);
    const [before, after] = [await openLocalModel(folder), await openLocalModel(out)];
    const named = ({ tensors }: typeof before) =>
      new Map(tensors.map(({ name, shape }) => [name, shape]));
    expect(named(after)).toEqual(named(before));
    const said = JSON.parse(after.metadata['quantscope.training']) as Record<string, unknown>;
    expect(said).toMatchObject({
      ...{ method: 'straight-through', format: 'int2-asym:g16', ...SETTINGS },
      ...{ windows: 10, heldBack: 2, bestStep: report.best.step },
    });
    expect(await readdir(out)).toEqual(expect.arrayContaining(['config.json', 'tokenizer.json']));
    // Nothing is left beside it.
    expect((await readdir(dirname(out))).sort()).toEqual([basename(folder), 'trained'].sort());
  });

  it('goes on where it was interrupted, to the same bytes, whatever the threads', async () => {
    const folder = await calibratableModel();
    const at = (name: string) => join(dirname(folder), `${name}.safetensors`);
    await train(folder, at('whole'));
    await interrupt(folder, at('parts'));
    const files = async () => (await readdir(dirname(folder))).sort();
    expect(await files()).toEqual([basename(folder), 'parts.training', 'whole.safetensors'].sort());
    const report = await train(folder, at('parts'), { threads: 1 });
    expect(report.resumedAt).toBeGreaterThan(0);
    const [whole, parts] = await Promise.all([readFile(at('whole')), readFile(at('parts'))]);
    expect(parts.equals(whole)).toBe(true);
    expect(await files()).toEqual(
      [basename(folder), 'parts.safetensors', 'whole.safetensors'].sort(),
    );
  });

  it('does not go on with other settings', async () => {
    const folder = await calibratableModel();
    const out = join(dirname(folder), 'out');
    await interrupt(folder, out);
    await expect(train(folder, out, { settings: { ...SETTINGS, rate: 2e-3 } })).rejects.toThrow(
      /out\.training: holds the state of another training/,
    );
  });

  it.each([
    ['gpt2', 'Gradients are not known of models with'],
    ['llama-gqa-llama3rope', 'has a scale of the whole tensor'],
  ])('refuses what cannot be trained: %s', async (name, reason) => {
    const folder = await calibratableModel(name);
    const format = name === 'gpt2' ? 'int4:g16' : 'nvfp4';
    await expect(train(folder, join(dirname(folder), 'out'), { format })).rejects.toThrow(reason);
  });

  it('never trains on the text that is scored', async () => {
    const folder = await calibratableModel();
    await writeFile(join(folder, 'eval.txt'), await readFile(join(folder, 'calibration.txt')));
    await expect(train(folder, join(dirname(folder), 'out'))).rejects.toThrow(/calibration\.txt/);
  });
});
