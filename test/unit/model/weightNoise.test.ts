// Noise of a known size on weights, which sensitivities are measured with.
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { TensorChange } from '../../../src/model/evaluation/types.js';
import { addNoise } from '../../../src/model/forward/weightNoise.js';
import { logicalValues, openGolden, SETTINGS, someWindows } from '../../support/languageModels.js';
import { sharedPool } from '../../support/sharedPool.js';

/** Noise of deviation 1. */
function draw(seed: number, first: number, count: number): Float32Array {
  const values = new Float32Array(count);
  addNoise(values, { deviation: 1, seed, first });
  return values;
}

function mean(values: Float32Array, of: (value: number) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0) / values.length;
}

describe('noise', () => {
  it('is normally distributed', () => {
    const values = draw(7, 0, 1_000_000);
    expect(mean(values, (z) => z)).toBeCloseTo(0, 2);
    expect(mean(values, (z) => z ** 2)).toBeCloseTo(1, 2);
    expect(mean(values, (z) => z ** 3)).toBeCloseTo(0, 1);
    expect(mean(values, (z) => z ** 4)).toBeCloseTo(3, 1);
    const neighbours = values.map((z, at) => z * (values[at + 1] ?? 0));
    expect(mean(neighbours, (z) => z)).toBeCloseTo(0, 2);
  });

  it('is the same for an element in whatever pieces it is drawn, also far into a tensor', () => {
    for (const start of [0, 2 ** 33 + 1]) {
      const whole = draw(3, start, 101);
      const pieces = [0, 1, 2, 34, 35, 101].map((at, index, cuts) => {
        const end = cuts[index + 1] ?? at;
        return draw(3, start + at, end - at);
      });
      expect(pieces.flatMap((piece) => [...piece])).toEqual([...whole]);
    }
  });

  it('differs from seed to seed, and beyond 2³² elements', () => {
    expect(draw(1, 0, 8)).not.toEqual(draw(2, 0, 8));
    expect(draw(1, 2 ** 33, 8)).not.toEqual(draw(1, 0, 8));
  });
});

describe('a variant with noise', () => {
  // The second has weights stored as [inputs × outputs]; both heads are tied to the embedding.
  it.each(['llama-tied-nohead', 'gpt2'])('%s: is that of the values with noise', async (name) => {
    const pool = await sharedPool();
    const model = await openGolden(name);
    const names = [
      ...selectTensors(model.opened, {}).map((tensor) => tensor.name),
      model.plan.embedding.tokens,
    ];
    const format = parseFormat('int4:g8');
    const given = new Map<string, TensorChange>();
    const noisy = new Map<string, TensorChange>();
    for (const [index, each] of names.entries()) {
      const noise = { deviation: 0.01, seed: index };
      const values = await logicalValues(pool, model, each);
      addNoise(values, { ...noise, first: 0 });
      // Some are rounded as well.
      const rounded = index % 3 === 0 ? { format } : {};
      given.set(each, { values, ...rounded });
      noisy.set(each, { noise, ...rounded });
    }
    const { baseline, variants } = await evaluate({
      pool,
      model,
      windows: someWindows(model, [40, 25]),
      variants: [
        { id: 'values', changes: given },
        { id: 'noise', changes: noisy },
      ],
      settings: SETTINGS,
    });
    expect(variants[1]).toEqual(variants[0]);
    expect(variants[1]).not.toEqual(baseline);
  });
});
