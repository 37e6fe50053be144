import { execFileSync } from 'node:child_process';
import { appendFile, readdir, readFile, rm, truncate, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { findCacheFolder } from '../../../src/cli/cacheFolder.js';
import { BASELINE, type WindowScore } from '../../../src/model/evaluation/types.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import { fingerprintModel } from '../../../src/model/scores/node/fingerprint.js';
import {
  FileScoreStore,
  type ScoreStoreOptions,
} from '../../../src/model/scores/node/scoreStore.js';
import { f32Tensor, temporaryFolder, writeCheckpoint } from '../../support/checkpoints.js';

const windows = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5), Int32Array.of(1, 2)];
const first: WindowScore = {
  targets: 2,
  nll: 0.1 + 0.2,
  divergence: 1e-9,
  reverseDivergence: 2e-9,
  confidence: 1.1,
  agreements: 1,
};
const second: WindowScore = {
  targets: 1,
  nll: Infinity,
  divergence: NaN,
  reverseDivergence: -Infinity,
  confidence: NaN,
  agreements: 0,
};

async function openStore(options: Partial<ScoreStoreOptions> & { folder: string }) {
  const warnings: string[] = [];
  const store = await FileScoreStore.open({
    key: ['model'],
    windows,
    scaleDtype: 'f16',
    warn: (message) => warnings.push(message),
    ...options,
  });
  onTestFinished(() => store.close());
  return { store, warnings };
}

async function onlyFile(folder: string): Promise<string> {
  const names = await readdir(folder);
  expect(names).toHaveLength(1);
  return join(folder, names[0]);
}

describe('score store', () => {
  it('gives back after a restart what was put, to the bit', async () => {
    const folder = join(await temporaryFolder(), 'made', 'here');
    const { store, warnings } = await openStore({ folder });
    expect(store.get(BASELINE, 0)).toBeUndefined();
    await store.put([
      { variant: BASELINE, window: 0, score: first },
      { variant: 'int4 "x"\n', window: 1, score: second },
    ]);
    const { store: later } = await openStore({ folder });
    for (const each of [store, later]) {
      expect(each.get(BASELINE, 0)).toEqual(first);
      expect(each.get('int4 "x"\n', 1)).toEqual(second);
      expect(each.get(BASELINE, 1)).toBeUndefined();
      expect(each.get(BASELINE, 2)).toBeUndefined();
    }
    expect(warnings).toEqual([]);
  });

  it.skipIf(process.platform === 'win32')(
    'waits for no pipe and writes to no input, and says so',
    async () => {
      const folder = await temporaryFolder();
      const { store: before } = await openStore({ folder });
      await before.put([{ variant: BASELINE, window: 0, score: first }]);
      const path = await onlyFile(folder);
      const text = await readFile(path, 'utf8');
      await before.close();

      const reading = await openStore({ folder, inputs: [path] });
      await reading.store.put([{ variant: BASELINE, window: 1, score: first }]);
      expect(await readFile(path, 'utf8')).toBe(text);
      expect(reading.warnings).toEqual([expect.stringMatching(/an input of the job/)]);

      await rm(path);
      execFileSync('mkfifo', [path]);
      const { store, warnings } = await openStore({ folder });
      await store.put([{ variant: BASELINE, window: 0, score: first }]);
      expect(warnings).toEqual([
        expect.stringMatching(/no file of scores but a folder, a link or the like/),
      ]);
      expect(store.get(BASELINE, 0)).toEqual(first);
    },
  );

  it('knows windows by their ids, and variants by their scale type', async () => {
    const folder = await temporaryFolder();
    const { store } = await openStore({ folder });
    await store.put([
      { variant: BASELINE, window: 1, score: first },
      { variant: 'int4', window: 1, score: first },
    ]);
    const moved = await openStore({ folder, windows: [windows[1]], scaleDtype: 'f32' });
    expect(moved.store.get(BASELINE, 0)).toEqual(first);
    expect(moved.store.get('int4', 0)).toBeUndefined();
    const otherModel = await openStore({ folder, key: ['mod', 'el'] });
    expect(otherModel.store.get(BASELINE, 1)).toBeUndefined();
  });

  it('passes over a half-written end and foreign lines, and goes on after them', async () => {
    const folder = await temporaryFolder();
    const { store } = await openStore({ folder });
    const put = (window: number) => [{ variant: BASELINE, window, score: first }];
    await store.put(put(0));
    await store.put(put(1));
    await store.close();
    const path = await onlyFile(folder);
    await appendFile(
      path,
      '[1]\n{}\n["baseline","abc",1,"x",0,0]\n["baseline","abc",1,1,0,2]\n\0\n',
    );
    await appendFile(path, (await readFile(path, 'utf8')).split('\n')[0]);
    await truncate(path, (await readFile(path)).length - 5);

    const { store: crashed } = await openStore({ folder });
    expect([0, 1, 2].map((window) => crashed.get(BASELINE, window))).toEqual([
      first,
      first,
      undefined,
    ]);
    await crashed.put(put(2));
    await crashed.put([{ variant: 'int4', window: 2, score: second }]);
    const { store: later } = await openStore({ folder });
    expect(later.get(BASELINE, 2)).toEqual(first);
    expect(later.get('int4', 2)).toEqual(second);
  });

  it('remembers that weights are not finite', async () => {
    const folder = await temporaryFolder();
    const { store } = await openStore({ folder });
    expect(store.nonFinite).toBeUndefined();
    await store.put([{ variant: BASELINE, window: 0, score: first }], 3);
    expect((await openStore({ folder })).store.nonFinite).toBe(3);
  });

  it('removes files unused for a month, then the least recently used over 64 MB', async () => {
    const folder = await temporaryFolder();
    const day = 24 * 3600;
    const make = async (name: string, days: number, bytes: number) => {
      const path = join(folder, name);
      await writeFile(path, '');
      await truncate(path, bytes);
      const time = Date.now() / 1000 - days * day;
      await utimes(path, time, time);
    };
    await make('old.scores.jsonl', 31, 10);
    await make('large.scores.jsonl', 20, 40 * 2 ** 20);
    await make('recent.scores.jsonl', 10, 40 * 2 ** 20);
    await make('foreign.txt', 90, 10);
    const { store } = await openStore({ folder });
    await store.put([{ variant: BASELINE, window: 0, score: first }]);
    const left = (await readdir(folder)).filter((name) => !/^[0-9a-f]{32}\./.test(name));
    expect(left.sort()).toEqual(['foreign.txt', 'recent.scores.jsonl']);
    const { store: later } = await openStore({ folder });
    expect(later.get(BASELINE, 0)).toEqual(first);
  });

  it('only warns where it cannot keep anything', async () => {
    const folder = join(await temporaryFolder(), 'file');
    await writeFile(folder, '');
    const { store, warnings } = await openStore({ folder });
    expect(warnings).toHaveLength(1);
    expect(warnings[0]).toMatch(/cannot be kept/);
    await store.put([{ variant: BASELINE, window: 0, score: first }]);
    expect(store.get(BASELINE, 0)).toEqual(first);
    expect(warnings).toHaveLength(1);
  });
});

it.skipIf(process.platform !== 'linux')('only warns where no folder can be made', async () => {
  const { store, warnings } = await openStore({ folder: '/proc/none/of/this' });
  expect(warnings).toHaveLength(1);
  await store.put([{ variant: BASELINE, window: 0, score: first }]);
  expect(store.get(BASELINE, 0)).toEqual(first);
});

describe('model fingerprint', () => {
  it('changes with weights, header and configuration, and with nothing else', async () => {
    const folder = await temporaryFolder();
    const config = join(folder, 'config.json');
    await writeFile(config, '{}');
    const tensor = f32Tensor([2, 2], Float32Array.of(1, 2, 3, 4));
    const path = await writeCheckpoint({ a: tensor }, folder);
    const fingerprint = async () => fingerprintModel(await openLocalModel(path));
    const seen = [await fingerprint()];
    expect(await fingerprint()).toBe(seen[0]);
    await writeFile(join(folder, 'README.md'), 'x');
    expect(await fingerprint()).toBe(seen[0]);

    await utimes(path, 1, 1);
    seen.push(await fingerprint());
    await writeCheckpoint({ b: tensor }, folder);
    await utimes(path, 1, 1);
    seen.push(await fingerprint());
    await writeFile(config, '{"rope_theta": 1}');
    seen.push(await fingerprint());
    expect(new Set(seen).size).toBe(4);
  });
});

describe('cache folder', () => {
  it.each([
    ['linux', { XDG_CACHE_HOME: '/x' }, '/x/quantscope'],
    ['linux', {}, '.cache/quantscope'],
    ['darwin', {}, 'Library/Caches/quantscope'],
    ['win32', { LOCALAPPDATA: 'L' }, join('L', 'quantscope', 'Cache')],
    ['darwin', { QUANTSCOPE_CACHE: '/q' }, '/q'],
  ] as const)('on %s with %j ends in %s', (platform, environment, expected) => {
    expect(findCacheFolder(environment, platform).endsWith(expected)).toBe(true);
  });
});
