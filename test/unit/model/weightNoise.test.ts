// Noise of a known size on weights, which sensitivities are measured with.
import { describe, expect, it } from 'vitest';
import { getMatrixShape } from '../../../src/checkpoint/matrixShape.js';
import { parseFormat } from '../../../src/formats/index.js';
import { selectTensors } from '../../../src/jobs/selection.js';
import { evaluate } from '../../../src/model/evaluation/evaluate.js';
import type { TensorChange } from '../../../src/model/evaluation/types.js';
import { addNoise } from '../../../src/model/forward/weightNoise.js';
import { logicalValues, openGolden, SETTINGS, someWindows } from '../../support/languageModels.js';
import { sharedPool } from '../../support/sharedPool.js';

const COLUMNS = 256;

/** Noise on rows whose groups all have a range of 4, as a share of it. */
function draw(seed: number, firstRow: number, rows: number, share = 0.25): Float32Array {
  const plain = Float32Array.from({ length: rows * COLUMNS }, (_, at) => (at % 2 ? 3 : -1));
  const values = plain.slice();
  addNoise(values, { share, seed, first: firstRow * COLUMNS, columns: COLUMNS });
  return values.map((value, at) => value - plain[at]);
}

function mean(values: Float32Array, of: (value: number) => number): number {
  return values.reduce((sum, value) => sum + of(value), 0) / values.length;
}

describe('noise', () => {
  it('is normally distributed', () => {
    const values = draw(7, 0, 4000);
    expect(mean(values, (z) => z)).toBeCloseTo(0, 2);
    expect(mean(values, (z) => z ** 2)).toBeCloseTo(1, 2);
    expect(mean(values, (z) => z ** 3)).toBeCloseTo(0, 1);
    expect(mean(values, (z) => z ** 4)).toBeCloseTo(3, 1);
    const neighbours = values.map((z, at) => z * (values[at + 1] ?? 0));
    expect(mean(neighbours, (z) => z)).toBeCloseTo(0, 2);
  });

  it('is as large in each group as the range there is wide, zero included', () => {
    // Two groups of 128 and a shorter one.
    const values = Float32Array.from({ length: 300 }, (_, at) =>
      at < 128 ? 1 : at < 256 ? -8 : 0,
    );
    const noisy = values.slice();
    addNoise(noisy, { share: 0.1, seed: 1, first: 0, columns: 300 });
    const noise = noisy.map((value, at) => value - values[at]);
    const size = (from: number, to: number) =>
      Math.sqrt(mean(noise.subarray(from, to), (z) => z * z));
    expect(size(0, 128) / 0.1).toBeCloseTo(1, 0);
    expect(size(128, 256) / 0.8).toBeCloseTo(1, 0);
    expect(size(256, 300)).toBe(0);
  });

  it('is the same for an element in whatever runs of rows it is drawn, also far into a tensor', () => {
    for (const start of [0, 2 ** 26 + 1]) {
      const whole = draw(3, start, 101);
      const pieces = [0, 1, 2, 34, 35].map((at, index, cuts) =>
        draw(3, start + at, (cuts[index + 1] ?? 101) - at),
      );
      expect(pieces.flatMap((piece) => [...piece])).toEqual([...whole]);
    }
  });

  it('differs from seed to seed, and beyond 2³² elements', () => {
    expect(draw(1, 0, 1)).not.toEqual(draw(2, 0, 1));
    expect(draw(1, 2 ** 25, 1)).not.toEqual(draw(1, 0, 1));
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
      const noise = { share: 0.02, seed: index };
      const values = await logicalValues(pool, model, each);
      const { columns } = getMatrixShape(model.opened.tensors.find(({ name: n }) => n === each)!);
      addNoise(values, { ...noise, first: 0, columns });
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
