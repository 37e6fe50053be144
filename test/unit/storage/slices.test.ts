import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  forEachInSteps,
  replaceInSteps,
  runAtOnce,
  runInSlices,
  sortInSteps,
} from '../../../src/storage/slices.js';

describe('work in slices', () => {
  const untilAborted = function* (): Generator<void, never, void> {
    for (;;) yield;
  };

  it('lets the thread do other things, and ends when it is cancelled', async () => {
    const abort = new AbortController();
    let turns = 0;
    const count = (): void => {
      if (++turns === 5) abort.abort();
      else setTimeout(count);
    };
    setTimeout(count);
    const work = runInSlices(untilAborted(), abort);
    await expect(work).rejects.toMatchObject({ name: 'AbortError' });
    expect(turns).toBe(5);
  });

  it('does nothing when it was cancelled before', async () => {
    let steps = 0;
    const work = forEachInSteps([1, 2, 3], () => steps++);
    const signal = AbortSignal.abort();
    await expect(runInSlices(work, { signal })).rejects.toMatchObject({ name: 'AbortError' });
    expect(steps).toBe(0);
  });

  it('has the result of doing it at once', async () => {
    const items = Array.from({ length: 1000 }, (_, i) => i);
    const expected = items.map((item) => `${item}`);
    expect(await runInSlices(replaceInSteps([...items], String))).toEqual(expected);
    expect(runAtOnce(replaceInSteps([...items], String))).toEqual(expected);
  });
});

describe('sorting in steps', () => {
  const compare = (a: { key: number }, b: { key: number }) => a.key - b.key;

  it('sorts as arrays do, equal items in order', () => {
    const keys = fc.array(fc.integer({ min: 0, max: 50 }), { minLength: 0, maxLength: 30_000 });
    fc.assert(
      fc.property(keys, fc.integer({ min: 1, max: 2000 }), (some, times) => {
        // Repeated, so that lists longer than a run are common.
        const length = Math.min(some.length * times, 20_000);
        const items = Array.from({ length }, (_, i) => ({ key: some[i % some.length], i }));
        expect(runAtOnce(sortInSteps([...items], compare))).toEqual([...items].sort(compare));
      }),
      { numRuns: 30 },
    );
  });

  it('gives back what is in order already', () => {
    const items = Array.from({ length: 10_000 }, (_, key) => ({ key }));
    expect(runAtOnce(sortInSteps(items, compare))).toBe(items);
  });
});
