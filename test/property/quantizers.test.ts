// Properties that every quantizer of a group must have, on the reference (WASM equals it to the bit).
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { FORMAT_CATALOGUE, parseFormat, roundToBF16, roundToF16 } from '../../src/formats/index.js';
import {
  makeGroupQuantizer,
  findGroupRange,
  rangeExcludesZero,
  type GroupRule,
} from '../../src/kernels/reference/groupQuantizer.js';
import { quantizeChunk } from '../../src/kernels/reference/quantizeChunk.js';
import { listCandidateRanges, searchRange } from '../../src/kernels/reference/rangeSearch.js';
import { foldLanes, RAW } from '../../src/kernels/types.js';

const GROUP = 32;
// Multiples of 2^-24: no denormals, which powers of two would round.
const weight = fc.integer({ min: -(2 ** 25), max: 2 ** 25 }).map((n) => Math.fround(n / 2 ** 24));
const group = fc
  .array(weight, { minLength: GROUP, maxLength: GROUP })
  .map((values) => Float32Array.from(values));

/** Those whose parameters follow from the range of a group. */
const entries = FORMAT_CATALOGUE.filter(
  ({ rule }) => !['ggml', 'cast', 'block-choice'].includes(rule.kind),
);
/** Formats whose scale the user's scale type and group size apply to. */
const free = entries.filter(({ fixedGroup }) => fixedGroup === undefined);

function quantize(name: string, dtype: 'f16' | 'f32', weights: Float32Array) {
  const output = new Float32Array(weights.length);
  const shape = { rows: 1, columns: weights.length };
  const tensorRange = { lo: Math.min(...weights), hi: Math.max(...weights) };
  quantizeChunk({
    format: parseFormat(name),
    scaleDtype: dtype,
    shape,
    weights,
    output,
    tensorRange,
  });
  return output;
}

describe.each(entries.map(({ name }) => name))('%s', (name) => {
  const { entry } = parseFormat(name);
  const rule = entry.rule as GroupRule;
  const withGroup = entry.fixedGroup ? name : `${name}:g${GROUP}`;

  it('errs by at most half a step, except beyond the outermost level', () => {
    fc.assert(
      fc.property(group, (weights) => {
        const range = findGroupRange(weights, rangeExcludesZero(rule));
        const quantizer = makeGroupQuantizer(rule, range, 'f32', range);
        for (const w of weights) {
          const { value, stepError } = quantizer.quantize(w);
          const beyond = Math.abs(value) < Math.abs(w);
          expect(Math.abs(stepError) <= 0.50001 || beyond).toBe(true);
        }
      }),
    );
  });

  it('scales exactly with the weights by powers of two', () => {
    // AWQ's floor of 1e-5, F32 scales of a tensor in NVFP4 and E5M2 scales have ends that this stays away from.
    const isSmall = (x: number) => x !== 0 && Math.abs(x) < 2 ** -8;
    fc.assert(
      fc.property(group, fc.integer({ min: -4, max: 4 }), (weights, exponent) => {
        const spread = Math.max(...weights) - Math.min(...weights);
        fc.pre(spread > 0.1);
        if (name === 'amxfp4') fc.pre(![Math.min(...weights), Math.max(...weights)].some(isSmall));
        const factor = 2 ** exponent;
        const scaled = quantize(
          withGroup,
          'f32',
          weights.map((w) => w * factor),
        );
        const expected = quantize(withGroup, 'f32', weights).map((q) => q * factor);
        expect([...scaled]).toEqual([...expected]);
      }),
    );
  });
});

describe.each(free.map(({ name }) => name))('%s', (name) => {
  it('permutes its results with the groups', () => {
    fc.assert(
      fc.property(group, group, (a, b) => {
        const format = `${name}:g${GROUP}`;
        const ab = quantize(format, 'f16', Float32Array.from([...a, ...b]));
        const ba = quantize(format, 'f16', Float32Array.from([...b, ...a]));
        expect([...ba]).toEqual([...ab.subarray(GROUP), ...ab.subarray(0, GROUP)]);
      }),
    );
  });

  it('stores the scales it computes with', () => {
    fc.assert(
      fc.property(group, (weights) => {
        const rule = parseFormat(name).entry.rule as GroupRule;
        const range = findGroupRange(weights, rangeExcludesZero(rule));
        for (const [dtype, round] of [
          ['f16', roundToF16],
          ['bf16', roundToBF16],
        ] as const) {
          const quantizer = makeGroupQuantizer(rule, range, dtype);
          for (const { value } of quantizer.scales) expect(round(value)).toBe(value);
          // ŵ is the stored scale times a level: quantizing ŵ with the same parameters keeps it.
          for (const w of weights) {
            const { value } = quantizer.quantize(w);
            // (A weight of −0 counts as +0.)
            expect(quantizer.quantize(value).value + 0).toBe(value + 0);
          }
        }
      }),
    );
  });

  it.each(['mse', 'clip'] as const)('+%s finds the best of its candidates', (search) => {
    fc.assert(
      fc.property(group, (weights) => {
        const rule = parseFormat(name).entry.rule as GroupRule;
        const range = findGroupRange(weights, rangeExcludesZero(rule));
        const error = (tried: typeof range) => {
          const quantizer = makeGroupQuantizer(rule, tried, 'f16');
          const power = search === 'mse' ? 2.4 : 2;
          return weights.reduce(
            (sum, w) => sum + Math.abs(Math.fround(quantizer.quantize(w).value - w)) ** power,
            0,
          );
        };
        const best = error(searchRange(rule, search, range, 'f16', weights));
        for (const candidate of listCandidateRanges(search, range)) {
          expect(best).toBeLessThanOrEqual(error(candidate) * (1 + 1e-4));
        }
      }),
      { numRuns: 5 },
    );
  });
});

describe.each(['fp4-e2m1', 'fp3-e2m0', 'fp6-e2m3'])('a%s', (name) => {
  it('equals the format with one scale on a mirror-symmetric group', () => {
    fc.assert(
      fc.property(group, (half) => {
        const weights = Float32Array.from([...half, ...half.map((w) => -w)]);
        const where = `:g${2 * GROUP}`;
        expect([...quantize(`a${name}${where}`, 'f16', weights)]).toEqual([
          ...quantize(name + where, 'f16', weights),
        ]);
      }),
    );
  });
});

it('splits the squared error into underflow and rounding without a rest', () => {
  fc.assert(
    fc.property(group, (weights) => {
      const output = new Float32Array(GROUP);
      const shape = { rows: 1, columns: GROUP };
      const format = parseFormat('int3:g32');
      const raw = quantizeChunk({ format, scaleDtype: 'f16', shape, weights, output });
      const [underflow, rounding] = [0, 1].map((kind) =>
        weights.reduce((sum, w, i) => {
          const isUnderflow = w !== 0 && output[i] === 0;
          return isUnderflow === (kind === 0) ? sum + (output[i] - w) ** 2 : sum;
        }, 0),
      );
      expect(foldLanes(raw, RAW.underflowError)).toBeCloseTo(underflow, 12);
      expect(foldLanes(raw, RAW.error)).toBeCloseTo(underflow + rounding, 12);
    }),
  );
});

describe('blocks that choose', () => {
  const errorOf = (values: Float32Array, weights: Float32Array) =>
    values.reduce((sum, value, i) => sum + (value - weights[i]) ** 2, 0);

  it('err no more with a search for the scale than without', () => {
    fc.assert(
      fc.property(group, (weights) => {
        const found = errorOf(quantize('nvfp4-search', 'f16', weights), weights);
        const plain = errorOf(quantize('nvfp4', 'f16', weights), weights);
        // The kernels add errors of f32.
        expect(found).toBeLessThanOrEqual(plain * (1 + 2 ** -20));
      }),
    );
  });

  it.each(['nvfp4-4over6', 'if4', 'nvint4', 'nvfp4-search', 'razer'])(
    '%s scales exactly with the weights by powers of two',
    (name) => {
      fc.assert(
        fc.property(group, fc.integer({ min: -4, max: 4 }), (weights, exponent) => {
          const factor = 2 ** exponent;
          const scaled = quantize(
            name,
            'f16',
            weights.map((w) => w * factor),
          );
          const expected = quantize(name, 'f16', weights).map((q) => q * factor);
          expect([...scaled]).toEqual([...expected]);
        }),
      );
    },
  );
});
