// Error sums and the measures from them against plain f64 loops, whatever the magnitude of the weights.
import { beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../../src/formats/index.js';
import type { ErrorSums, Kernels } from '../../../src/kernels/types.js';
import { ErrorAccumulator, WeightAccumulator } from '../../../src/metrics/errorAccumulator.js';
import { createReferenceKernels, createWasmKernels, loadWeights } from '../../support/kernels.js';

const SHAPE = { rows: 3, columns: 640 };
const N = SHAPE.rows * SHAPE.columns;

const reference = createReferenceKernels();
let wasm: Kernels;
beforeAll(async () => {
  wasm = await createWasmKernels();
});

/** Bell-shaped weights of a magnitude, some of them 0; a few groups of one sign. */
function weightsAround(magnitude: number): Float32Array {
  let state = 7;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32 - 0.5;
  };
  return Float32Array.from({ length: N }, (_, i) => {
    const weight = (uniform() + uniform() + uniform()) * magnitude;
    if (i % 61 === 0) return 0;
    return i < 128 ? Math.abs(weight) : weight;
  });
}

function quantizeBy(
  kernels: Kernels,
  format: string,
  dtype: 'f16' | 'bf16' | 'f32',
  given: Float32Array,
) {
  loadWeights(kernels, given);
  const weights = new WeightAccumulator();
  weights.add(kernels.inspect(N));
  const tensorRange = { lo: weights.min, hi: weights.max };
  const sums = kernels.quantize(parseFormat(format), dtype, SHAPE, {
    keepOutput: true,
    tensorRange,
  });
  return { weights, sums, output: kernels.output(N).slice() };
}

/** The sums as their definitions read, and Σwŵ. */
function plainSums(weights: Float32Array, output: Float32Array) {
  const sums = { squaredError: 0, squaredValue: 0, squaredUnderflow: 0, maxAbsError: 0, dot: 0 };
  weights.forEach((weight, i) => {
    const error = output[i] - weight;
    sums.squaredError += error * error;
    sums.squaredValue += output[i] * output[i];
    if (output[i] === 0) sums.squaredUnderflow += error * error;
    sums.maxAbsError = Math.max(sums.maxAbsError, Math.abs(error));
    sums.dot += weight * output[i];
  });
  return sums;
}

const EXACT = ['squaredError', 'squaredValue', 'squaredUnderflow'] as const;

function expectSums(actual: ErrorSums, expected: ReturnType<typeof plainSums>) {
  for (const name of EXACT) {
    if (expected[name] === 0) expect(actual[name]).toBe(0);
    else expect(actual[name] / expected[name]).toBeCloseTo(1, 12);
  }
  expect(actual.maxAbsError).toBe(expected.maxAbsError);
}

const FORMATS = [
  ...['int4:g128', 'int8:g128', 'int2:g32', 'int4-sym:g64', 'int4-awq:g128', 'int4:row'],
  ...['afp4:g128', 'nf4:g100', 'dint4:g128', 'mxfp4', 'nvfp4', 'bnb-fp4', 'q4_0', 'q4_k'],
  ...['f16', 'bf16', 'f32'],
];

describe.each(FORMATS)('%s', (format) => {
  it.each([1e-36, 1e-30, 1e-25, 1e-12, 0.02, 1e12, 1e25, 1e30, 1e36])(
    'has the sums of plain loops for weights around %f',
    (magnitude) => {
      const given = weightsAround(magnitude);
      for (const dtype of ['f16', 'bf16', 'f32'] as const) {
        for (const kernels of [reference, wasm]) {
          const { weights, sums, output } = quantizeBy(kernels, format, dtype, given);
          if (!output.every(Number.isFinite)) continue;
          const expected = plainSums(given, output);
          expectSums(sums, expected);
          const errors = new ErrorAccumulator();
          errors.add(sums);
          const { cosine, mse, sqnrDb } = errors.measures(weights);
          const norms = Math.sqrt(weights.sumSquares * expected.squaredValue);
          // The formula has no digits left where scales overflow and nearly all of a weight is error.
          const comparable = expected.squaredValue > 1e-4 * weights.sumSquares;
          if (comparable) expect(cosine).toBeCloseTo(expected.dot / norms, 12);
          // A tensor is reported as exact only where it is.
          const same = output.every((value, i) => value === given[i]);
          expect(mse === 0).toBe(same);
          expect(sqnrDb === Infinity).toBe(same);
        }
      }
    },
  );
});

describe.each(['int4', 'int3-awq', 'afp4', 'nf3', 'dint4'])('%s', (name) => {
  it.each([1e-36, 1e-25, 1e-21, 1e-17, 1e-9, 1e9, 1e17, 1e19, 1e25, 1e36])(
    'is searched alike in WASM and in the reference around %f',
    (magnitude) => {
      const given = weightsAround(magnitude);
      for (const search of ['mse', 'clip']) {
        const [expected, actual] = [reference, wasm].map((kernels) => {
          const { sums, output } = quantizeBy(kernels, `${name}:g128+${search}`, 'f32', given);
          return { sums, output };
        });
        expect(actual).toEqual(expected);
      }
    },
    60_000,
  );
});

it('sums step errors of even levels as squared errors over the squared step', () => {
  const given = weightsAround(0.02);
  const { sums } = quantizeBy(wasm, 'int4:row', 'f32', given.fill(0, SHAPE.columns));
  const row = given.subarray(0, SHAPE.columns);
  const step = Math.fround(Math.fround(Math.max(...row) - Math.min(...row)) / 15);
  expect(sums.squaredStepError / (sums.squaredError / step ** 2)).toBeCloseTo(1, 12);
});
