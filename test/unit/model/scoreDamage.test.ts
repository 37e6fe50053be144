import { execFileSync } from 'node:child_process';
import {
  appendFile,
  link,
  mkdir,
  readdir,
  readFile,
  rename,
  stat,
  symlink,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { BASELINE, type WindowScore } from '../../../src/model/evaluation/types.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { FileScoreStore } from '../../../src/model/scores/node/scoreStore.js';
import { temporaryFolder } from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';
import { perplexityOn } from '../../support/jobs.js';
import { GOLDEN_MODELS } from '../../support/languageModels.js';

const windows = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5), Int32Array.of(1, 2)];
const scores: readonly { variant: string; window: number; score: WindowScore }[] = [
  {
    variant: BASELINE,
    window: 0,
    score: {
      targets: 2,
      nll: 7.25,
      divergence: 0,
      reverseDivergence: 0,
      confidence: 0.5,
      agreements: 2,
    },
  },
  {
    variant: BASELINE,
    window: 1,
    score: {
      targets: 1,
      nll: 3.5,
      divergence: 0,
      reverseDivergence: 0,
      confidence: 0.5,
      agreements: 1,
    },
  },
  {
    variant: 'int4 a',
    window: 0,
    score: {
      targets: 2,
      nll: 7.5,
      divergence: 1e-9,
      reverseDivergence: 1e-9,
      confidence: 0.5,
      agreements: 1,
    },
  },
  {
    variant: 'int4 a',
    window: 2,
    score: {
      targets: 1,
      nll: NaN,
      divergence: Infinity,
      reverseDivergence: Infinity,
      confidence: 0.5,
      agreements: 0,
    },
  },
];
const NON_FINITE = 12;

async function openStore(folder: string, key = ['model']) {
  const warnings: string[] = [];
  const warn = (message: string) => void warnings.push(message);
  const store = await FileScoreStore.open({ folder, key, windows, scaleDtype: 'f16', warn });
  onTestFinished(() => store.close());
  return { store, warnings };
}

/** A folder with a file of all the scores. */
async function keptScores() {
  const folder = await temporaryFolder();
  const { store } = await openStore(folder);
  await store.put(scores, NON_FINITE);
  await store.close();
  const path = join(folder, (await readdir(folder))[0]);
  return { folder, path, bytes: await readFile(path) };
}

/** How many of the scores are known; fails where one is known wrongly. */
function countKnown(store: FileScoreStore): number {
  const known = scores.filter(({ variant, window, score }) => {
    const got = store.get(variant, window);
    if (got) expect(got).toEqual(score);
    return got !== undefined;
  });
  for (const { variant, window } of [
    { variant: BASELINE, window: 2 },
    { variant: 'int4 a', window: 1 },
  ]) {
    expect(store.get(variant, window)).toBeUndefined();
  }
  if (store.nonFinite !== undefined) expect(store.nonFinite).toBe(NON_FINITE);
  return known.length;
}

describe('a damaged file of scores', () => {
  it('has no bit whose change would be believed', async () => {
    const { folder, path, bytes } = await keptScores();
    const firstLine = (bytes.indexOf('\n') + 1) * 8;
    for (let bit = 0; bit < bytes.length * 8; bit += bit < firstLine ? 1 : 11) {
      const damaged = Buffer.from(bytes);
      damaged[bit >> 3] ^= 1 << (bit & 7);
      await writeFile(path, damaged);
      const { store } = await openStore(folder);
      // A line and its neighbour, where the change is in the line's end.
      expect(countKnown(store)).toBeGreaterThanOrEqual(scores.length - 2);
      await store.close();
    }
  });

  it.each([
    ['another number', (line: string) => line.replace('7.25', '13.5')],
    ['no number', (line: string) => line.replace('7.25', '"NaN"')],
    ['a negative number', (line: string) => line.replace('7.25', '-7.25')],
    ['fewer targets', (line: string) => line.replace(',2,', ',1,')],
    ['another variant', (line: string) => line.replace('baseline', 'baselime')],
    ['no checksum', (line: string) => line.replace(/,"[0-9a-f]{16}"\]/, ']')],
    ['a longer line', (line: string) => `${line.slice(0, -1)},"${'x'.repeat(1 << 20)}"]`],
  ])('with %s in a line lacks that line, says so once, and is whole again', async (_, edit) => {
    const { folder, path, bytes } = await keptScores();
    const lines = bytes.toString().split('\n');
    lines[0] = edit(lines[0]);
    await writeFile(path, lines.join('\n'));
    const { store, warnings } = await openStore(folder);
    expect(store.get(BASELINE, 0)).toBeUndefined();
    expect(countKnown(store)).toBe(scores.length - 1);
    expect(warnings).toEqual([
      `${path}: 1 line is damaged in this file of kept scores; what is missing is computed again`,
    ]);
    await store.put([scores[0]], NON_FINITE);
    await store.close();
    const later = await openStore(folder);
    expect(countKnown(later.store)).toBe(scores.length);
    expect(later.warnings).toEqual([]);
  });

  it('has no line of another model', async () => {
    const { folder, path, bytes } = await keptScores();
    await (await openStore(folder, ['another'])).store.close();
    const names = await readdir(folder);
    const other = names.map((name) => join(folder, name)).find((each) => each !== path)!;
    await writeFile(other, bytes);
    const { store, warnings } = await openStore(folder, ['another']);
    expect(scores.filter(({ variant, window }) => store.get(variant, window))).toEqual([]);
    expect(store.nonFinite).toBeUndefined();
    expect(warnings).toHaveLength(1);
  });

  it('may end anywhere: an append that was stopped is nothing to warn of', async () => {
    const { folder, path, bytes } = await keptScores();
    for (let length = 0; length < bytes.length; length += 7) {
      await writeFile(path, bytes.subarray(0, length));
      const { store, warnings } = await openStore(folder);
      countKnown(store);
      expect(warnings).toEqual([]);
      await store.put(scores, NON_FINITE);
      await store.close();
      const later = await openStore(folder);
      expect(countKnown(later.store)).toBe(scores.length);
      expect(later.warnings).toEqual([]);
      await later.store.close();
    }
  });

  it('is started again where it has grown too large', async () => {
    const { folder, path, bytes } = await keptScores();
    await truncate(path, 2 ** 40).catch(() => truncate(path, 2 ** 28));
    const { store, warnings } = await openStore(folder);
    expect(warnings).toEqual([expect.stringContaining('had grown too large and is started again')]);
    expect(countKnown(store)).toBe(0);
    await store.put(scores, NON_FINITE);
    expect((await stat(path)).size).toBeLessThan(bytes.length + 1);
  });
});

it('takes what several processes append at once', async () => {
  const folder = await temporaryFolder();
  const stores = await Promise.all(Array.from({ length: 8 }, () => openStore(folder)));
  await Promise.all(
    stores.map(({ store }, i) => store.put([scores[i % scores.length]], NON_FINITE)),
  );
  const { store, warnings } = await openStore(folder);
  expect(countKnown(store)).toBe(scores.length);
  expect(warnings).toEqual([]);
});

describe.skipIf(process.platform === 'win32')('what lies in the place of the file', () => {
  const victim = 'precious\n';

  it.each([
    ['a folder', async (path: string) => void (await mkdir(path))],
    ['a pipe', async (path: string) => void execFileSync('mkfifo', [path])],
    ['a link to a file', (path: string, other: string) => symlink(other, path)],
    ['a link to nothing', (path: string, other: string) => symlink(`${other}.new`, path)],
    ['another name of a file', (path: string, other: string) => link(other, path)],
  ])('%s is left alone, with a warning', async (_, place) => {
    const { folder, path } = await keptScores();
    const other = join(await temporaryFolder(), 'other');
    await writeFile(other, victim);
    await rename(path, join(folder, 'away'));
    await place(path, other);
    const { store, warnings } = await openStore(folder);
    await store.put(scores, NON_FINITE);
    expect(countKnown(store)).toBe(scores.length);
    expect(warnings).toEqual([expect.stringMatching(/scores cannot be kept .* no file of scores/)]);
    expect(await readFile(other, 'utf8')).toBe(victim);
    await expect(stat(`${other}.new`)).rejects.toThrow();
  });
});

it('a perplexity is the right one, whatever happened to the scores that were kept', async () => {
  const pool = await sharedPool();
  const model = await openLocalModel(join(GOLDEN_MODELS, 'llama-gqa-llama3rope'));
  const folder = await temporaryFolder();
  const tokenIdsFile = join(folder, 'ids.json');
  await writeFile(tokenIdsFile, '[[1,2,3,4,5],[9,8,7],[4,4,4,4]]');
  const cacheFolder = join(folder, 'cache');
  const measure = async () => {
    const request = { formats: ['int4:g32'], tokenIdsFile, cacheFolder };
    const { baseline, formats } = await perplexityOn(pool, model, request);
    return { baseline, formats };
  };
  const right = await measure();
  const path = join(cacheFolder, (await readdir(cacheFolder))[0]);
  const bytes = await readFile(path);
  const step = Math.ceil((bytes.length * 8) / 60) | 1;
  for (let bit = 0; bit < bytes.length * 8; bit += step) {
    const damaged = Buffer.from(bytes);
    damaged[bit >> 3] ^= 1 << (bit & 7);
    await writeFile(path, damaged);
    expect(await measure()).toEqual(right);
  }
  await appendFile(path, bytes.toString().replaceAll('.', '.1'));
  expect(await measure()).toEqual(right);
});

it('weights that are no numbers are said to be so in later runs, too', async () => {
  const pool = await sharedPool();
  const folder = await temporaryFolder();
  const from = join(GOLDEN_MODELS, 'llama-gqa-llama3rope');
  const bytes = await readFile(join(from, 'model.safetensors'));
  const { tensors } = await openLocalModel(from);
  const { offset } = tensors.find(({ name }) => name.endsWith('layers.0.mlp.up_proj.weight'))!;
  bytes.fill(0xff, offset, offset + 4);
  await writeFile(join(folder, 'model.safetensors'), bytes);
  await writeFile(join(folder, 'config.json'), await readFile(join(from, 'config.json')));
  const tokenIdsFile = join(folder, 'ids.json');
  await writeFile(tokenIdsFile, '[[1,2,3,4,5],[9,8,7]]');
  const cacheFolder = join(folder, 'cache');
  const model = await openLocalModel(folder);
  const notes = async () =>
    (await perplexityOn(pool, model, { formats: [], tokenIdsFile, cacheFolder })).notes;
  const right = await notes();
  expect(right).toEqual([expect.stringMatching(/NaN or infinite and counted as 0/)]);
  expect(await notes()).toEqual(right);
  const path = join(cacheFolder, (await readdir(cacheFolder))[0]);
  const text = await readFile(path, 'utf8');
  await writeFile(path, text.replace(/^.*\n/, ''));
  expect(await notes()).toEqual(right);
});
