// LLM-FP4's search with activations: against its code where that is right, and against the paper's formulas in f64.
import { describe, expect, it } from 'vitest';
import { indexOfLeast, listSplits, splitName } from '../../src/methods/llmFp4/candidates.js';
import { createPool } from '../support/checkpoints.js';
import { Random } from '../support/forwardScene.js';
import { searchFloats } from '../support/llmFp4.js';
import { searchPlainly, type Split } from '../support/plainLlmFp4.js';
import { floatsOf } from '../support/rawSafetensors.js';
import { CalibrationTensors } from './calibrationVectors.js';
import { goldenEntries, goldenInput, goldenTensor } from './golden.js';

function expectClose(actual: ArrayLike<number>, expected: ArrayLike<number>, relative: number) {
  expect(actual.length).toBe(expected.length);
  const wrong = Array.from(expected).filter(
    (value, i) => !(Math.abs(actual[i] - value) <= relative * Math.abs(value) + 1e-12),
  );
  expect(wrong).toEqual([]);
}

describe('the original code', () => {
  // The only one of its searches that its defect does not touch: see the method's notes.
  const entry = goldenEntries('llmfp4').find(({ name }) => name === 'mid.w6a6.fpq_baseline')!;
  const { weights, columns } = goldenInput(entry);
  const samples = new CalibrationTensors('llmfp4_inputs.safetensors').floats('calib_x_64x128');
  const splits = listSplits(6);
  const first = splits.findIndex((split) => splitName(split) === 'E2M3');

  it.each([1, 2])('chooses the same, on %s threads', async (threads) => {
    const pool = await createPool({ threads });
    const { result, quantized, rounded } = await searchFloats(pool, {
      ...{ weights, inputs: columns, samples, splits, first },
      ...{ inputSplits: splits, firstInput: first, isShifted: false },
    });
    expect(splitName(result.weights)).toBe(entry.chosen_format);
    expect(splitName(result.inputs!)).toBe('E2M3');
    expectClose(result.biases, floatsOf(goldenTensor(entry, '.bias')), 1e-6);
    expectClose([result.inputBias!], floatsOf(goldenTensor(entry, '.a_bias_tensor')), 1e-6);
    expectClose(quantized, floatsOf(goldenTensor(entry)), 1e-6);
    expectClose(rounded, floatsOf(goldenTensor(entry, '.x_quant')), 1e-6);
  });
});

describe('the formulas in f64', () => {
  const [inputs, outputs, rows] = [24, 11, 20];
  const asSplit = (split: ReturnType<typeof listSplits>[number]): Split => ({
    e: split.exponentBits,
    m: split.levels.fractionBits,
  });
  const toRows = (values: Float32Array) =>
    Array.from({ length: values.length / inputs }, (_, row) => [
      ...values.subarray(row * inputs, (row + 1) * inputs),
    ]);

  it.each([
    ['inputs as they are', 4, undefined, false, 3],
    ['W4A4, one bias', 4, 4, false, 5],
    ['W4A4, pre-shifted', 4, 4, true, 7],
    ['W3A4, pre-shifted', 3, 4, true, 11],
    ['W4A8, one bias', 4, 8, false, 13],
    ['W4A8, pre-shifted', 4, 8, true, 17],
    ['W8A8, pre-shifted', 8, 8, true, 19],
  ] as const)('come to the same: %s', async (_, bits, inputBits, isShifted, seed) => {
    const random = new Random(seed);
    const weights = random.floats(outputs * inputs, 0.3);
    // Inputs of very different size.
    const samples = random
      .floats(rows * inputs, 2)
      .map((x, at) => x * 2 ** (((at % inputs) * 5) % 7));
    const splits = listSplits(bits);
    const inputSplits = inputBits && listSplits(inputBits);
    const scene = { weights, inputs, samples, splits, first: 1, isShifted };
    const pool = await createPool({ threads: 1 });
    const made = await searchFloats(pool, { ...scene, inputSplits, firstInput: 1 });
    const plain = searchPlainly({
      ...{ weights: toRows(weights), inputs: toRows(samples), splits: splits.map(asSplit) },
      ...{ first: 1, inputSplits: (inputSplits || []).map(asSplit), firstInput: 1 },
      shifted: isShifted,
    });
    const { result } = made;
    expect(asSplit(result.weights)).toEqual(plain.split);
    expect(result.inputs && asSplit(result.inputs)).toEqual(plain.inputSplit);
    expectClose(result.biases, plain.biases, 1e-9);
    if (inputBits) expectClose([result.inputBias!], [plain.inputBias!], 1e-9);
    expectClose(made.quantized, plain.weights.flat(), 1e-6);
    expectClose(made.rounded, plain.inputs.flat(), 1e-6);
    expectClose([result.loss], [plain.loss], 1e-4);
  });

  it('leave rows and inputs of zeros as they are', async () => {
    const random = new Random(2);
    const weights = random.floats(outputs * inputs).fill(0, inputs, 2 * inputs);
    const samples = random.floats(rows * inputs).map((x, at) => (at % inputs === 5 ? 0 : x));
    const splits = listSplits(4);
    const scene = { weights, inputs, splits, first: 1, inputSplits: splits, firstInput: 1 };
    const pool = await createPool({ threads: 1 });
    const some = await searchFloats(pool, { ...scene, samples, isShifted: true });
    expect(some.quantized.subarray(inputs, 2 * inputs)).toEqual(new Float32Array(inputs));
    expect(some.quantized.every(Number.isFinite)).toBe(true);
    const nothing = samples.map(() => 0);
    const none = await searchFloats(pool, { ...scene, samples: nothing, isShifted: true });
    expect(none.result.rounding?.scale).toBe(0);
    expect(none.quantized.every(Number.isFinite)).toBe(true);
  });
});

it('the first of equal losses wins; none is an error', () => {
  expect(indexOfLeast([3, NaN, 2, 2])).toBe(2);
  expect(() => indexOfLeast([NaN, NaN])).toThrow('No loss is a number');
});
