// GGUF's block formats: WASM equals the reference to the bit, and the reference keeps its promises.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  GGML_TYPES,
  ggmlStepErrors,
  type GgmlType,
} from '../../src/kernels/reference/ggml/index.js';
import { createGgmlKernel, quantizeByReference, type GgmlResult } from '../support/ggml.js';

const PART = 32;
const MAX_PARTS = 16;

let quantizeByWasm: Awaited<ReturnType<typeof createGgmlKernel>>;
beforeAll(async () => {
  quantizeByWasm = await createGgmlKernel(MAX_PARTS * PART);
});

const bits = new DataView(new ArrayBuffer(4));
/** Any finite f32 bit pattern. */
const finiteFloat = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((pattern) => {
  bits.setInt32(0, pattern);
  const value = bits.getFloat32(0);
  return Number.isFinite(value) ? value : 0;
});
const uniform = fc.double({ min: -1, max: 1, noNaN: true });
const sum3 = fc.tuple(uniform, uniform, uniform).map(([a, b, c]) => (a + b + c) * 0.02);

function parts(weight: fc.Arbitrary<number>): fc.Arbitrary<number[]> {
  return fc.array(weight, { minLength: PART, maxLength: PART });
}

/** A fraction that f32 addition of one half would carry to 1. */
const BELOW_HALF = 0.5 - 2 ** -25;
/** Kinds of 32 weights, with how often they are wanted. */
const kinds: { weight: number; arbitrary: fc.Arbitrary<number[]> }[] = [
  { weight: 8, arbitrary: parts(sum3) },
  { weight: 2, arbitrary: parts(sum3.map(Math.abs)) },
  { weight: 2, arbitrary: parts(sum3.map((x) => -Math.abs(x))) },
  { weight: 2, arbitrary: parts(fc.constantFrom(0, -0, 0.7, -0.2, 1e-40)) },
  { weight: 2, arbitrary: parts(fc.constantFrom(-0, 0, 0.1, 3)) },
  { weight: 2, arbitrary: parts(fc.constantFrom(0, -0)) },
  { weight: 1, arbitrary: parts(finiteFloat) },
  // Ties between levels: the scale becomes a power of two.
  { weight: 2, arbitrary: parts(fc.integer({ min: -16, max: 16 }).map((n) => n / 4)) },
  {
    weight: 2,
    arbitrary: parts(fc.constantFrom(127, -127, 0.5, -1.5, 62.5, BELOW_HALF, -BELOW_HALF)),
  },
  // One value throughout, or all but so.
  {
    weight: 2,
    arbitrary: fc
      .double({ min: -2, max: 2, noNaN: true })
      .map((value) => new Array<number>(PART).fill(value)),
  },
  {
    weight: 2,
    arbitrary: fc
      .tuple(fc.constantFrom(-1000, -1, 0.3, 500), parts(sum3))
      .map(([base, noise]) => noise.map((x) => base + x * 1e-3)),
  },
  // Magnitudes from the smallest to the largest; the range of the last is beyond f32.
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(1e-45, 1e-38, 1e-30, 1e-22, 1e-15, 1e-9, 1e6, 1e15, 1e30), parts(sum3))
      .map(([scale, shape]) => shape.map((x) => x * 50 * scale)),
  },
  { weight: 1, arbitrary: parts(fc.constantFrom(3.4e38, -3.4e38, 1e38, 1)) },
];

/** Up to 16 blocks of 32 or two of 256, of parts of one kind or of several. */
function blocksOf({ blockSize }: GgmlType): fc.Arbitrary<Float32Array> {
  const perBlock = blockSize / PART;
  return fc
    .tuple(
      fc.integer({ min: 1, max: MAX_PARTS / perBlock }),
      fc.oneof(fc.constant(fc.oneof(...kinds)), fc.constantFrom(...kinds.map((k) => k.arbitrary))),
    )
    .chain(([blocks, part]) =>
      fc.array(part, { minLength: blocks * perBlock, maxLength: blocks * perBlock }),
    )
    .map((all) => Float32Array.from(all.flat()));
}

/** Everything that may differ, with −0 apart from 0; NaN, which has many patterns, is one value. */
function comparable({ packed, values, stepErrors, clipped }: GgmlResult) {
  const pattern = (floats: Float32Array) =>
    new Uint32Array(floats.map((x) => (Number.isNaN(x) ? NaN : x)).buffer);
  return { packed, values: pattern(values), stepErrors: pattern(stepErrors), clipped };
}

describe.each(Object.values(GGML_TYPES))('$name', (type) => {
  it('gives the same blocks, values and step errors in WASM and in the reference', () => {
    fc.assert(
      fc.property(blocksOf(type), (weights) => {
        const expected = comparable(quantizeByReference(type, weights));
        expect(comparable(quantizeByWasm(type, weights))).toEqual(expected);
        const unpacked = comparable(quantizeByWasm(type, weights, false));
        expect(unpacked).toEqual({ ...expected, packed: new Uint8Array(0) });
      }),
      { numRuns: 80 },
    );
  }, 60_000);

  it('scales with the weights by powers of two', () => {
    const weight = fc.oneof(fc.double({ min: 0.25, max: 4, noNaN: true }), fc.constant(0));
    const signed = fc.tuple(weight, fc.boolean()).map(([x, negative]) => (negative ? -x : x));
    const block = fc.array(signed, { minLength: type.blockSize, maxLength: type.blockSize });
    fc.assert(
      fc.property(block, fc.constantFrom(0.5, 4, 64), (values, factor) => {
        const weights = Float32Array.from(values);
        const once = quantizeByReference(type, weights);
        const scaled = quantizeByReference(
          type,
          weights.map((x) => x * factor),
        );
        expect(scaled.values).toEqual(once.values.map((x) => x * factor));
        expect(scaled.stepErrors).toEqual(once.stepErrors);
        expect(scaled.clipped).toBe(once.clipped);
      }),
      { numRuns: 25 },
    );
  }, 60_000);
});

describe('q3_k', () => {
  it('descends for five rounds', () => {
    // After four the scale would be 1.5 % less; ggml's own result for this sub-block is 13.125.
    const subBlock = [6, 11, -19, -10, -31, 0, -17, -39, 38, 1, 0, -25, 24, 1, -1, 4];
    const steps = [0, 1, -1, -1, -2, 0, -1, -3, 3, 0, 0, -2, 2, 0, 0, 0];
    const weights = Float32Array.from({ length: 256 }, (_, i) => subBlock[i % 16]);
    for (const quantize of [quantizeByReference, quantizeByWasm]) {
      const { values } = quantize(GGML_TYPES.q3_k, weights);
      expect(Array.from(values.subarray(0, 16), (x) => x + 0)).toEqual(
        steps.map((step) => step * 13.125 + 0),
      );
    }
  });
});

describe('step errors', () => {
  /** A packed block of one F16 scale 1 and the same nibble throughout, as q4_0 and iq4_nl have it. */
  function unitBlock(code: number): Uint8Array {
    return Uint8Array.of(0x00, 0x3c, ...new Array<number>(16).fill(code | (code << 4)));
  }

  function errorsOf(type: GgmlType, code: number, ...some: number[]) {
    const weights = new Float32Array(PART);
    weights.set(some);
    const stepErrors = new Float32Array(PART);
    const clipped = ggmlStepErrors(type, unitBlock(code), weights, stepErrors);
    return { errors: stepErrors.subarray(0, some.length), clipped };
  }

  it('counts in steps where levels are even', () => {
    // Code 15 is level 7, the highest; half a step beyond it lies 7.5.
    expect(errorsOf(GGML_TYPES.q4_0, 15, 6.75, 7.5, 7.75, -8.5, -9)).toEqual({
      errors: Float32Array.of(0.25, -0.5, -0.75, 15.5, 16),
      clipped: 2,
    });
  });

  it('counts in widths of the interval that a weight falls in where they are not', () => {
    // Code 8 is level 1; 1 … 13 is 12 wide, −10 … 1 is 11, 89 … 113 is 24, −127 … −104 is 23.
    const weights = [4, -4.5, 1, 101, 124, 126, -138, -139];
    const widths = [12, 11, 12, 24, 24, 24, 23, 23];
    expect(errorsOf(GGML_TYPES.iq4_nl, 8, ...weights)).toEqual({
      errors: Float32Array.from(weights, (weight, i) => (1 - weight) / widths[i]),
      clipped: 2,
    });
  });

  it('are 0 where the scale is 0 or overflowed', () => {
    for (const type of Object.values(GGML_TYPES)) {
      // Its powers of two go as far down as f32.
      if (type.name === 'mxfp4') continue;
      const tiny = new Float32Array(type.blockSize).fill(1e-20).fill(-1e-20, 5, 9);
      const { stepErrors, clipped } = quantizeByReference(type, tiny);
      expect(stepErrors).toEqual(new Float32Array(type.blockSize));
      expect(clipped).toBe(0);
    }
    const huge = Float32Array.from({ length: PART }, (_, i) => (i - 15) * 1e6);
    const { values, stepErrors, clipped } = quantizeByReference(GGML_TYPES.q4_0, huge);
    expect(values).toContain(Infinity);
    expect(stepErrors).toEqual(new Float32Array(PART));
    expect(clipped).toBe(0);
  });
});
