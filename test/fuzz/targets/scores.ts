import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BASELINE, type WindowScore } from '../../../src/model/evaluation/types.js';
import { FileScoreStore } from '../../../src/model/scores/node/scoreStore.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { mutateBytes } from '../mutateBytes.js';
import { scratchFolder } from '../scratch.js';
import { promise, promiseOneLine, type FuzzTarget } from '../target.js';

const FILE = 'scores.jsonl';
const WINDOWS = [Int32Array.of(1, 2, 3), Int32Array.of(4, 5), Int32Array.of(1, 2, 3, 4)];
const VARIANTS = [BASELINE, 'int4-asym:g128', 'nf4'];
const NON_FINITE = 7;

const scoreOf = (variant: number, window: number): WindowScore => ({
  targets: WINDOWS[window].length - 1,
  nll: variant === 2 && window === 1 ? Infinity : 1.25 + variant / 3 + window * 10,
  divergence: variant === 2 && window === 2 ? NaN : variant * 0.0625,
  reverseDivergence: variant === 1 && window === 2 ? Infinity : variant * 0.125,
  confidence: 0.5 + window,
  agreements: window % WINDOWS[window].length === 0 ? 0 : 1,
});

let folder: string | undefined;

/** Opens the store of the one model; `use` works on it. */
async function withStore(use: (store: FileScoreStore) => void | Promise<void>): Promise<void> {
  folder ??= scratchFolder();
  // Of damaged lines, it may.
  const warn = (message: string) => promiseOneLine(message);
  const key = ['model', 'program'];
  const store = await FileScoreStore.open({
    folder,
    key,
    windows: WINDOWS,
    scaleDtype: 'f16',
    warn,
  });
  try {
    await use(store);
  } finally {
    await store.close();
  }
}

function storeFile(): string {
  return join(folder!, readdirSync(folder!)[0]);
}

/** The bytes of a store of some variants. */
async function storedBytes(variants: readonly string[]): Promise<Uint8Array> {
  await withStore(async (store) => {
    for (const [index, variant] of variants.entries()) {
      const scores = WINDOWS.map((_, window) => ({
        variant,
        window,
        score: scoreOf(index, window),
      }));
      await store.put(scores, NON_FINITE);
    }
  });
  const bytes = readFileSync(storeFile());
  rmSync(storeFile());
  return bytes;
}

/** The file of kept scores: what it gives is what was put in, or nothing. */
export const scores: FuzzTarget = {
  name: 'scores',
  async seeds() {
    const inputs: Input[] = [];
    for (const variants of [VARIANTS, VARIANTS.slice(0, 1)]) {
      inputs.push([{ name: FILE, bytes: await storedBytes(variants) }]);
    }
    return inputs;
  },
  mutate(input, random, pool) {
    const donor = bytesOf(random.pick(pool), FILE);
    return withPart(input, FILE, mutateBytes(bytesOf(input, FILE), random, donor));
  },
  async check(input) {
    await withStore(() => undefined);
    writeFileSync(storeFile(), bytesOf(input, FILE));
    let found = 0;
    await withStore((store) => {
      VARIANTS.forEach((variant, v) =>
        WINDOWS.forEach((_, window) => {
          const score = store.get(variant, window);
          if (!score) return;
          found++;
          const expected = scoreOf(v, window);
          for (const key of [
            ...(['targets', 'nll', 'divergence', 'reverseDivergence'] as const),
            ...(['confidence', 'agreements'] as const),
          ]) {
            promise(
              Object.is(score[key], expected[key]),
              `"${key}" is ${score[key]}, not ${expected[key]}`,
            );
          }
        }),
      );
      const { nonFinite } = store;
      promise(!nonFinite || nonFinite === NON_FINITE, `${nonFinite} weights are not finite`);
    });
    return found > 0;
  },
};
