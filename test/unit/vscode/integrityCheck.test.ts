import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { openModel } from '../../../src/model/openModel.js';
import { localFileSystem } from '../../../src/storage/node/localFileSystem.js';
import { IntegrityCheck } from '../../../src/vscode/editor/integrityCheck.js';
import { createPool } from '../../support/checkpoints.js';
import { run } from '../../support/commandLine.js';
import { floats, writeModel } from '../../support/quantizedWeights.js';

const WEIGHT = 'model.layers.0.mlp.down_proj.weight';

/** The check of a model with a NaN, whose pool is lent once `lend` is called. */
async function faultyModel() {
  const folder = await writeModel({ [WEIGHT]: floats([2, 2], [1, NaN, 2, 3]) });
  const pool = await createPool();
  let lend!: () => void;
  const lent = new Promise<void>((resolve) => (lend = resolve));
  let jobs = 0;
  const check = new IntegrityCheck(() => openModel(folder, localFileSystem), {
    async use(job) {
      jobs++;
      await lent;
      return job(pool);
    },
  });
  return { folder, check, lend, jobs: () => jobs };
}

it('reads the model once for all who ask, and keeps what it found', async () => {
  const { check, lend, jobs } = await faultyModel();
  expect(check.isKnown).toBe(false);
  const both = Promise.all([check.report(), check.report()]);
  expect(check.isKnown).toBe(true);
  lend();
  const [one, other] = await both;
  expect(one.findings).toMatchObject([{ id: 'weights-not-finite', listedAs: WEIGHT }]);
  expect(other).toBe(one);
  expect(await check.report()).toBe(one);
  expect(jobs()).toBe(1);
});

it('saves what the command line prints', async () => {
  const { folder, check, lend } = await faultyModel();
  lend();
  await check.report();
  const { stdout } = await run('inspect', folder, '--check', '--json');
  expect(check.json()).toBe(stdout);
});

it('has nothing to copy before it is through', async () => {
  const { check } = await faultyModel();
  expect(() => check.csv()).toThrow(/no finished check/);
});

it('is cancelled for all who wait, and begins anew when asked again', async () => {
  const { check, lend, jobs } = await faultyModel();
  const waiting = [check.report(), check.report()];
  const ended = Promise.all(
    waiting.map((each) => expect(each).rejects.toMatchObject({ name: 'AbortError' })),
  );
  check.cancel();
  const anew = check.report();
  lend();
  await ended;
  expect((await anew).findings).toHaveLength(1);
  expect(jobs()).toBe(2);
});

it('refuses findings of a file that changed meanwhile', async () => {
  const { folder, check, lend, jobs } = await faultyModel();
  const report = check.report();
  const refused = expect(report).rejects.toThrow(/model\.safetensors.*changed while the job ran/);
  // The pool is asked for when the model is open.
  await expect.poll(jobs).toBe(1);
  const file = join(folder, 'model.safetensors');
  await writeFile(file, await readFile(file));
  lend();
  await refused;
  expect(check.isKnown).toBe(false);
});

it('drops what it found when the files change', async () => {
  const { check, lend, jobs } = await faultyModel();
  lend();
  await check.report();
  check.forget();
  expect(check.isKnown).toBe(false);
  expect(() => check.json()).toThrow(/no finished check/);
  await check.report();
  expect(jobs()).toBe(2);
});
