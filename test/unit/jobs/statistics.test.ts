import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cutIntoPieces } from '../../../src/compute/spans.js';
import { readGroupRanges } from '../../../src/jobs/inspection/groupRanges.js';
import { inspectModel } from '../../../src/jobs/inspection/inspectModel.js';
import {
  readTensorDetails,
  computeTensorStatistics,
} from '../../../src/jobs/inspection/tensorStatistics.js';
import { AsymmetryList } from '../../../src/kernels/statistics/asymmetry.js';
import { mergeCounts } from '../../../src/kernels/statistics/sparseCounts.js';
import { selectIndex } from '../../../src/metrics/select.js';
import { openLocalModel } from '../../../src/model/node/openLocalModel.js';
import {
  f32Tensor,
  syntheticWeights,
  writeCheckpoint,
  type TestTensor,
} from '../../support/checkpoints.js';
import { sharedPool } from '../../support/sharedPool.js';

/** f32 values cut to BF16. */
function bf16Tensor(shape: readonly number[], values: Float32Array): TestTensor {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  const codes = Uint16Array.from(words, (word) => word >>> 16);
  return { dtype: 'BF16', shape, bytes: new Uint8Array(codes.buffer) };
}

/** [120 × 500] weights with NaN, infinities and groups of zeros and of one sign. */
function lopsidedWeights(): Float32Array {
  const weights = syntheticWeights(120 * 500, 4);
  weights.fill(0, 500, 700);
  for (let i = 1000; i < 1500; i++) weights[i] = Math.abs(weights[i]);
  weights[30_123] = -Infinity;
  weights[30_124] = NaN;
  weights[50_000] = Infinity;
  return weights;
}

describe.each(['wasm', 'reference'] as const)('statistics with the %s kernels', (backend) => {
  it.each([
    ['BF16', bf16Tensor],
    ['F32', f32Tensor],
  ] as const)('of %s are the same in one span and in many', async (_, tensorOf) => {
    const pool = await sharedPool({ backend });
    const model = await openLocalModel(
      await writeCheckpoint({ a: tensorOf([120, 500], lopsidedWeights()) }),
    );
    const request = { tensor: 'a', bins: 50 };
    const whole = await readTensorDetails(pool, model, request);
    // Of 20,000: lower halves are counted in tables. Of 1,500: sorted.
    for (const spanElements of [20_000, 1_500]) {
      const cut = await readTensorDetails(pool, model, request, { spanElements });
      expect(cut.histogram).toEqual(whole.histogram);
      const { mean, std, skewness, kurtosis, ...exact } = cut.statistics;
      expect(whole.statistics).toMatchObject(exact);
      expect(exact).toMatchObject({ nan: 1, inf: 2, firstNonFinite: 30_123, count: 60_000 });
      for (const [name, value] of Object.entries({ mean, std, skewness, kurtosis })) {
        expect(value).toBeCloseTo(whole.statistics[name as 'mean'], 12);
      }
    }
  });

  it.each([
    ['BF16', bf16Tensor],
    ['F32', f32Tensor],
  ] as const)('of groups of %s say what the groups’ ranges do', async (_, tensorOf) => {
    const pool = await sharedPool({ backend });
    const model = await openLocalModel(
      await writeCheckpoint({ a: tensorOf([120, 500], lopsidedWeights()) }),
    );
    for (const groupSize of [0, 1, 7, 128]) {
      const { asymmetry } = await readGroupRanges(pool, model, {
        tensor: 'a',
        groupSize,
        maxColumns: 1,
      });
      for (const spanElements of [undefined, 10_000]) {
        const { groups } = await computeTensorStatistics(pool, model.tensors[0], groupSize, {
          spanElements,
        });
        const { mean, p50, p95 } = groups.asymmetry;
        expect({ p50, p95 }).toEqual({ p50: asymmetry.p50, p95: asymmetry.p95 });
        expect(mean).toBeCloseTo(asymmetry.mean, 14);
      }
    }
  });

  it('of small tensors are those of plain arithmetic', async () => {
    const pool = await sharedPool({ backend });
    const values = Float32Array.from([3, -1.5, NaN, 0, -0, 0.25, Infinity, -1.5]);
    const bytes = Uint8Array.from([0xff, 0, 1, 1, 255, 128]);
    const path = await writeCheckpoint({
      a: f32Tensor([2, 4], values),
      b: bf16Tensor([2, 4], values),
      c: { dtype: 'I8', shape: [6], bytes },
      d: f32Tensor([2], Float32Array.from([NaN, NaN])),
    });
    const request = { stats: true, groupSize: 0 };
    const { tensors } = await inspectModel(pool, await openLocalModel(path), request);
    const stats = ['a', 'b', 'c', 'd'].map(
      (each) => tensors.find(({ name }) => name === each)!.stats,
    );
    const expected = { count: 8, min: -1.5, max: 3, zeros: 2, nan: 1, inf: 1, firstNonFinite: 2 };
    expect(stats[0]).toMatchObject({ ...expected, mean: 0.25 / 6 });
    expect(stats[1]).toMatchObject({ ...expected, mean: 0.25 / 6, distinct: 7 });
    expect(stats[0]!.quantiles).toMatchObject({ '0.25': -1.5, '0.75': 0.25, '0.999': 3 });
    // The median is 0, of either sign.
    const [wide, counted] = [stats[0]!, stats[1]!].map(({ quantiles }) =>
      Object.entries(quantiles).map(([probability, value]) => [probability, value + 0]),
    );
    expect(counted).toEqual(wide);
    // Rows [3, −1.5, NaN, 0] and [−0, 0.25, ∞, −1.5].
    const asymmetry = { mean: (1.5 / 4.5 - 1.25 / 1.75) / 2 };
    expect(stats[0]!.groups).toMatchObject({ count: 2, size: 4, asymmetry });
    expect(stats[2]).toMatchObject({ count: 6, min: -128, max: 1, distinct: 4, zeros: 1 });
    expect(stats[3]).toMatchObject({ count: 2, nan: 2, mean: 0, quantiles: {} });
  });
});

describe('parts of statistics', () => {
  const numbers = fc.integer({ min: 1, max: 40 });

  it('pieces cover a span in order, and its groups, however long, keep their asymmetries', () => {
    fc.assert(
      fc.property(numbers, numbers, numbers, numbers, (rows, columns, size, pieceElements) => {
        const groupSize = Math.min(size, columns);
        const weights = syntheticWeights(rows * columns, rows + columns);
        const pieced = new AsymmetryList(new Float32Array(weights.length));
        const whole = new AsymmetryList(new Float32Array(weights.length));
        const extremes = (first: number, count: number, width: number) => {
          const groups: number[][] = [];
          for (let row = 0; row < count; row++) {
            for (let column = 0; column < width; column += groupSize) {
              const at = first + row * width + column;
              const end = at + Math.min(groupSize, width - column);
              groups.push([...weights.subarray(at, end)]);
            }
          }
          return [1, -1].map((sign) =>
            Float32Array.from(groups, (group) => Math.max(0, ...group.map((w) => sign * w))),
          );
        };
        let next = 0;
        for (const piece of cutIntoPieces({ rows, columns }, groupSize, pieceElements)) {
          expect(piece.first).toBe(next);
          expect(piece.rows * piece.columns).toBeLessThanOrEqual(pieceElements);
          next += piece.rows * piece.columns;
          const [positive, negative] = extremes(piece.first, piece.rows, piece.columns);
          pieced.add(positive, negative, piece.continues);
        }
        expect(next).toBe(weights.length);
        const [positive, negative] = extremes(0, rows, columns);
        whole.add(positive, negative);
        expect(pieced.all()).toEqual(whole.all());
      }),
    );
  });

  it('counts of the same keys are added up, by sorting and in a table alike', () => {
    const part = fc.array(fc.tuple(fc.nat(99), fc.integer({ min: 1, max: 2 ** 32 - 1 })));
    fc.assert(
      fc.property(fc.array(part), (parts) => {
        const sparse = parts.map((pairs) => ({
          keys: Uint32Array.from(pairs, ([key]) => key),
          counts: Uint32Array.from(pairs, ([, count]) => count),
        }));
        const sums = new Map<number, number>();
        for (const [key, count] of parts.flat())
          sums.set(99 - key, (sums.get(99 - key) ?? 0) + count);
        const expected = [...sums].sort(([a], [b]) => a - b);
        const placeOf = Uint16Array.from({ length: 100 }, (_, key) => 99 - key);
        for (const size of [100, 100_000]) {
          const { places, counts } = mergeCounts(sparse, size, placeOf);
          expect([...places].map((place, index) => [place, counts[index]])).toEqual(expected);
        }
      }),
    );
  });

  it('selection puts a value where sorting would', () => {
    const values = fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 });
    fc.assert(
      fc.property(values, fc.nat(), (list, seed) => {
        const index = seed % list.length;
        const selected = Float32Array.from(list);
        selectIndex(selected, index);
        const sorted = Float32Array.from(list).sort();
        expect(selected[index] + 0).toBe(sorted[index] + 0);
        expect(selected.slice().sort()).toEqual(sorted);
      }),
    );
  });
});
