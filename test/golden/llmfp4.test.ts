// ExMy formats against LLM-FP4's code. Its arithmetic goes through log2 and pow, which are not
// correctly rounded, so values agree within 3e-7 relative; no code differs.
import { describe, expect, it } from 'vitest';
import { exmyFormat } from '../../src/formats/entries/floats.js';
import { findMinifloatStep, roundToMinifloat } from '../../src/formats/grid.js';
import { parseFormat } from '../../src/formats/index.js';
import { makeGroupQuantizer, findGroupRange } from '../../src/kernels/reference/groupQuantizer.js';
import { floatsOf } from '../support/rawSafetensors.js';
import { goldenEntries, goldenInput, goldenTensor, type GoldenEntry } from './golden.js';

const TOLERANCE = 3e-7;
const entries = goldenEntries('llmfp4').filter((entry) => entry.input !== undefined);
const ranges = entries.filter(({ name }) => name.includes('.minmax.'));
const searches = entries.filter(({ name }) => name.includes('.fpq'));

/** Rows the manifest excludes: all zero (NaN in the original) and f32 subnormals. */
function skippedRows({ input }: GoldenEntry): readonly number[] {
  return input.startsWith('edge') ? [0, 7] : [];
}

function shapeOf(format: string): [exponentBits: number, fractionBits: number] {
  const match = /^E(\d)M(\d)$/.exec(format)!;
  return [Number(match[1]), Number(match[2])];
}

function expectClose(
  actual: Float32Array,
  expected: Float32Array,
  columns: number,
  skipped: readonly number[],
) {
  const wrong: number[] = [];
  expect(actual.filter(Number.isNaN).length).toBeLessThan(actual.length * 0.1);
  expected.forEach((value, i) => {
    if (skipped.includes(Math.floor(i / columns)) || Number.isNaN(actual[i])) return;
    if (!(Math.abs(actual[i] - value) <= TOLERANCE * Math.abs(value))) wrong.push(i);
  });
  expect(wrong).toEqual([]);
}

it('has the entries it is about', () => {
  expect(ranges).toHaveLength(17);
  expect(searches).toHaveLength(5);
});

/** Values on an ExMy grid (NaN for ties) whose rows have LLM-FP4's biases: scale = 2^(−bias), section 4.2. */
function withBiases(entry: GoldenEntry, shape: string): Float32Array {
  const { weights, columns } = goldenInput(entry);
  const [exponentBits, fractionBits] = shapeOf(shape);
  const format = exmyFormat(exponentBits, fractionBits);
  const biases = floatsOf(goldenTensor(entry, '.bias'));
  // The formula's largest value at bias 0 against the grid's.
  const factor = largestAtBiasZero(exponentBits, fractionBits) / format.largest;
  return weights.map((weight, i) => {
    const bias = biases[Math.floor(i / columns)];
    const scaled = Math.fround(weight / (factor * 2 ** -bias));
    const step = findMinifloatStep(format, scaled);
    const quotient = Math.abs(scaled / step) % 1;
    // Its own step is inexact, so exact ties may fall either way there.
    if (Math.abs(quotient - 0.5) < 1e-5) return NaN;
    // The code agrees; its step is 2^(exponent − bias) with the difference rounded to f32.
    const exponent = Math.log2(step * factor);
    return (roundToMinifloat(format, scaled) / step) * 2 ** Math.fround(exponent - bias);
  });
}

function largestAtBiasZero(exponentBits: number, fractionBits: number): number {
  return (2 - 2 ** -fractionBits) * 2 ** (2 ** exponentBits - 1);
}

describe.each(ranges)('$name', (entry) => {
  const [exponentBits, fractionBits] = shapeOf(entry.fmt!);
  const { weights, rows, columns } = goldenInput(entry);
  const skipped = skippedRows(entry);

  it('agrees with the values, given its biases', () => {
    const output = withBiases(entry, entry.fmt!);
    expectClose(output, floatsOf(goldenTensor(entry)), columns, skipped);
  });

  it('agrees with its biases, which put the largest magnitude of a row on the largest level', () => {
    // Its ties go to the even fraction, also where AFPQ has another rule for the same levels.
    const bits = 1 + exponentBits + fractionBits;
    const format = parseFormat(`fp${bits}-e${exponentBits}m${fractionBits}-even:row`);
    const { rule } = format.entry;
    if (rule.kind !== 'grid') throw new Error(`${format.id} has no grid`);
    const largest = largestAtBiasZero(exponentBits, fractionBits);
    floatsOf(goldenTensor(entry, '.bias')).forEach((bias, row) => {
      if (skipped.includes(row)) return;
      const range = findGroupRange(weights.subarray(row * columns, (row + 1) * columns));
      const [scale] = makeGroupQuantizer(rule, range, 'f32').scales;
      const ours = -Math.log2(scale.value * (rule.grid.divisor / largest));
      // A bias is an f32 sum of terms as large as 2^exponentBits and log2 of the range.
      const magnitude = Math.max(2 ** exponentBits, Math.abs(bias));
      expect(Math.abs(ours - bias)).toBeLessThanOrEqual(magnitude * 2 ** -22);
    });
    expect(rows * columns).toBe(weights.length);
  });
});

describe.each(searches)('$name', (entry) => {
  it('agrees with the format and the biases that the search chose', () => {
    const output = withBiases(entry, entry.chosen_format!);
    expectClose(output, floatsOf(goldenTensor(entry)), goldenInput(entry).columns, []);
  });
});
