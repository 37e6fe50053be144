// Methods that scale input channels against their formulas in double precision.
import { describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import { findMethod } from '../../../src/methods/index.js';
import type { SiteName } from '../../../src/methods/types.js';
import { Random } from '../../support/forwardScene.js';
import { makeScalingGroup, type PlainGroup } from '../../support/scalingGroup.js';

const INPUTS = 16;
const random = new Random(11);
/** Channels of very different size, one that is never used, one whose weights are zero. */
const sizes = Float32Array.from({ length: INPUTS }, (_, i) => (i === 3 ? 0 : 2 ** (i % 5)));
const rows = random.floats(40 * INPUTS).map((x, at) => x * sizes[at % INPUTS]);
const matrix = (outputs: number) =>
  random.floats(outputs * INPUTS, 0.1).map((w, at) => (at % INPUTS === 5 ? 0 : w));
const weights = [matrix(12), matrix(8)];

/** INT8 by row, symmetric. */
function toInt8(row: Float32Array): Float32Array {
  const scale = Math.max(...row.map(Math.abs)) / 127;
  return row.map((x) => Math.round(x / scale) * scale);
}

function scene(site: SiteName, more: Partial<PlainGroup> = {}) {
  const format = parseFormat('int4:g8');
  return makeScalingGroup({ site, format, inputs: INPUTS, rows, weights, ...more });
}

const columnOf = (values: Float32Array, i: number) =>
  Array.from(values).filter((_, at) => at % INPUTS === i);
const columnOfWeights = (i: number) => weights.flatMap((each) => columnOf(each, i));
const maxAbs = (values: number[]) => Math.max(...values.map(Math.abs));
const span = (values: number[]) => Math.max(...values) - Math.min(...values);

function expectClose(actual: Float32Array, wanted: (input: number) => number) {
  actual.forEach((factor, i) => expect(Math.abs(factor / wanted(i) - 1)).toBeLessThan(1e-6));
}

/** max|x|^α / max|w|^(1−α), weights and quotients at least 1e-5. */
function balanced(alpha: number): number[] {
  return Array.from({ length: INPUTS }, (_, i) => {
    const weight = Math.max(maxAbs(columnOfWeights(i)), 1e-5);
    return Math.max(maxAbs(columnOf(rows, i)) ** alpha / weight ** (1 - alpha), 1e-5);
  });
}

/** Losses by candidate, from what was asked for: a candidate is known by its factors. */
function lossesOf(
  asked: readonly { readonly loss: number; readonly factors?: Float32Array }[],
  factorsOf: (index: number) => number[],
  count: number,
): number[] {
  return Array.from({ length: count }, (_, index) => {
    const wanted = factorsOf(index);
    const isIt = (factors: Float32Array) =>
      factors.every((factor, i) => Math.abs(factor / wanted[i] - 1) < 1e-5);
    return asked.find(({ factors }) => factors && isIt(factors))!.loss;
  });
}

/** Divided by √(largest · smallest). */
function normalized(factors: number[]): number[] {
  const middle = Math.sqrt(Math.max(...factors) * Math.min(...factors));
  return factors.map((factor) => factor / middle);
}

describe('smoothquant', () => {
  const { scale } = findMethod('smoothquant')!;

  it.each([0, 0.5, 0.8, 1])('balances ranges with α = %s', async (alpha) => {
    const { group, asked } = scene('attention');
    const { factors, finding } = (await scale!.choose(group, { alpha }, {}))!;
    expectClose(factors, (i) => balanced(alpha)[i]);
    expect(finding.values).toEqual({
      alpha,
      smallestFactor: Math.min(...factors),
      largestFactor: Math.max(...factors),
    });
    expect(asked).toEqual([]);
  });

  it('scales what follows a norm only', () =>
    expect(scale!.sites).toEqual(['attention', 'feedForward']));
});

describe('aqas', () => {
  it('takes the best α of its grid, activations quantized too', async () => {
    const { group, asked } = scene('down', { quantizeRow: toInt8 });
    const { factors, finding } = (await findMethod('aqas')!.scale!.choose(group, {}, {}))!;
    const [{ loss: unscaled }, ...tried] = asked;
    expect(tried).toHaveLength(21);
    const losses = lossesOf(tried, (index) => normalized(balanced(index / 20)), 21);
    expect(asked.every(({ judgedBy }) => judgedBy === 'linears')).toBe(true);
    const best = Math.min(...losses);
    const alpha = losses.indexOf(best) / 20;
    expect(best).toBeLessThan(losses[0]);
    expect(best).toBeLessThan(losses[20]);
    expect(finding.values).toMatchObject({ alpha, loss: best, lossUnscaled: unscaled });
    const wanted = balanced(alpha);
    const middle = Math.sqrt(Math.max(...wanted) * Math.min(...wanted));
    expectClose(factors, (i) => wanted[i] / middle);
  });
});

describe('aweq', () => {
  it('makes both ranges the same; leaves alone what has none', async () => {
    const { group } = scene('feedForward');
    const { factors } = (await findMethod('aweq')!.scale!.choose(group, {}, {}))!;
    expectClose(factors, (i) =>
      i === 3 || i === 5 ? 1 : Math.sqrt(span(columnOf(rows, i)) / span(columnOfWeights(i))),
    );
  });
});

describe('awq', () => {
  const { scale } = findMethod('awq')!;

  it("weighs in the weights' sizes with duo", async () => {
    const { group, asked } = scene('attentionOutput');
    const { factors, finding } = (await scale!.choose(group, { duo: true }, {}))!;
    const ratio = Number(finding.values.ratio);
    expect(asked).toHaveLength(20);
    expect(asked.every(({ judgedBy }) => judgedBy === 'linears')).toBe(true);
    const relative = Array.from({ length: INPUTS }, (_, i) => {
      const values = weights.flatMap((each) =>
        columnOf(each, i).map((w, output) => {
          const first = output * INPUTS + (i < 8 ? 0 : 8);
          return Math.abs(w) / (maxAbs(Array.from(each.subarray(first, first + 8))) + 1e-6);
        }),
      );
      return values.reduce((sum, each) => sum + each, 0) / values.length;
    });
    const factorsOf = (exponent: number) =>
      normalized(
        relative.map((weight, i) => {
          const column = columnOf(rows, i);
          const mean = column.reduce((sum, x) => sum + Math.abs(x), 0) / column.length;
          return Math.max(mean ** exponent / (weight ** (1 - exponent) + 1e-4), 1e-4);
        }),
      );
    expectClose(factors, (i) => factorsOf(ratio)[i]);
    const losses = lossesOf(asked, (index) => factorsOf(index / 20), 20);
    expect(ratio).toBeCloseTo(losses.indexOf(Math.min(...losses)) / 20, 12);
  });

  it('takes the first of equally good factors, and gives up worse ones early', async () => {
    const limits: (number | undefined)[] = [];
    const { group } = scene('attention');
    const flat = {
      ...group,
      loss: async (_: string, __?: Float32Array, atMost?: number) => {
        limits.push(atMost);
        return 2;
      },
    };
    const { finding } = (await scale!.choose(flat, {}, {}))!;
    expect(finding.values).toMatchObject({ ratio: 0, loss: 2 });
    expect(limits).toEqual([Infinity, ...new Array<number>(19).fill(2)]);
  });

  it('says so when nothing can be judged', async () => {
    const { group } = scene('attention', { rows: rows.map(() => NaN) });
    await expect(scale!.choose(group, {}, {})).rejects.toThrow(
      'No loss of linear0 and its like is a number',
    );
  });

  it('stops when it is cancelled', async () => {
    const { group, asked } = scene('attention');
    const signal = AbortSignal.abort();
    await expect(scale!.choose(group, {}, { signal })).rejects.toThrow(/abort/);
    expect(asked).toEqual([]);
  });
});
