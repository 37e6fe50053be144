// What quantizing a linear map does to its outputs, against plain loops in f64 over the observed inputs.
import { describe, expect, it } from 'vitest';
import type { WorkerPool } from '../../../src/compute/workerPool.js';
import { parseActivationFormat, parseFormat } from '../../../src/formats/index.js';
import { measureOutputErrors } from '../../../src/model/calibration/outputErrors.js';
import { findInputRanges } from '../../../src/model/calibration/inputRanges.js';
import { inActivationFormat } from '../../../src/model/evaluation/activations.js';
import { observeInputs } from '../../../src/model/evaluation/evaluate.js';
import type { LanguageModel } from '../../../src/model/evaluation/types.js';
import { inFormat } from '../../../src/model/evaluation/variants.js';
import { linearWeights } from '../../support/activationVariants.js';
import { sharedPool } from '../../support/sharedPool.js';
import { logicalValues, openGolden, SETTINGS, someWindows } from '../../support/languageModels.js';

const LENGTHS = [24, 40];

interface Inputs {
  readonly rows: number;
  readonly inputs: number;
  readonly values: Float32Array;
}

/** What each linear map takes, by the name of its weights. */
async function observe(
  pool: WorkerPool,
  model: LanguageModel,
): Promise<ReadonlyMap<string, Inputs>> {
  const seen = new Map<string, Inputs>();
  const observer = {
    wants: () => true,
    observe({
      linears,
      rows,
      inputs,
      values,
    }: Inputs & { linears: readonly { weight: string }[] }) {
      for (const { weight } of linears) {
        const before = seen.get(weight);
        const all = new Float32Array([
          ...(before?.values ?? []),
          ...values.slice(0, rows * inputs),
        ]);
        seen.set(weight, { rows: (before?.rows ?? 0) + rows, inputs, values: all });
      }
    },
  };
  const windows = someWindows(model, LENGTHS);
  await observeInputs({ pool, model, windows, variants: [], settings: { ...SETTINGS, observer } });
  return seen;
}

/** Σ(x·change)² over rows and outputs. */
function sumSquares({ rows, inputs, values }: Inputs, weights: Float32Array): number {
  let sum = 0;
  for (let row = 0; row < rows; row++) {
    for (let output = 0; output < weights.length / inputs; output++) {
      let y = 0;
      for (let i = 0; i < inputs; i++) y += values[row * inputs + i] * weights[output * inputs + i];
      sum += y * y;
    }
  }
  return sum;
}

/** A token's values in −127 … 127 steps of its largest magnitude. */
function roundTokens({ rows, inputs, values }: Inputs): Inputs {
  const rounded = values.slice();
  for (let row = 0; row < rows; row++) {
    const of = rounded.subarray(row * inputs, (row + 1) * inputs);
    const scale = of.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127;
    for (const [i, value] of of.entries()) of[i] = Math.round(value / scale) * scale;
  }
  return { rows, inputs, values: rounded };
}

const walk = async (name: string) => {
  const pool = await sharedPool({ threads: 2 });
  const model = await openGolden(name);
  const tensors = new Set(linearWeights(model));
  return { pool, model, tensors, windows: someWindows(model, LENGTHS), scaleDtype: 'f32' as const };
};

describe('output errors', () => {
  it.each(['llama-gqa-llama3rope', 'gpt2'])('are those of plain loops: %s', async (name) => {
    const request = await walk(name);
    const { pool, model, tensors } = request;
    const names = [...tensors];
    const rounded = { id: 'int3', changes: inFormat(parseFormat('int3:g16'), names) };
    const activations = inActivationFormat(parseActivationFormat('int8-token'), names);
    const none = { factors: new Map(), comparesWeights: false };
    const [plain, both, alone] = await measureOutputErrors(request, [
      { ...rounded, ...none },
      { ...rounded, activations, ...none },
      { id: 'a8', changes: new Map(), activations, ...none },
    ]);
    const inputs = await observe(pool, model);
    for (const weight of names) {
      const taken = inputs.get(weight)!;
      const stored = await logicalValues(pool, model, weight);
      const int3 = await logicalValues(pool, model, weight, 'int3:g16');
      const output = sumSquares(taken, stored);
      const error = sumSquares(
        taken,
        int3.map((value, i) => value - stored[i]),
      );
      expect(plain.get(weight)!.squaredOutput / output).toBeCloseTo(1, 5);
      expect(plain.get(weight)!.squaredError / error).toBeCloseTo(1, 4);
      // The two parts of what the weights lose; rounded inputs are no matter of theirs.
      const underflow = sumSquares(
        taken,
        int3.map((value, i) => (value === 0 ? -stored[i] : 0)),
      );
      const rounding = sumSquares(
        taken,
        int3.map((value, i) => (value === 0 ? 0 : value - stored[i])),
      );
      expect(underflow).toBeGreaterThan(0);
      for (const { split } of [plain.get(weight)!, both.get(weight)!]) {
        expect(split!.squaredUnderflow / underflow).toBeCloseTo(1, 4);
        expect(split!.squaredRounding / rounding).toBeCloseTo(1, 4);
      }
      expect(alone.get(weight)!.split).toBeUndefined();
      // Inputs that change as well are as many inputs more, with weights of the other sign.
      const changed = roundTokens(taken);
      const twice = (other: Float32Array) => {
        const both: Inputs = {
          ...taken,
          inputs: 2 * taken.inputs,
          values: new Float32Array(2 * taken.values.length),
        };
        const weights = new Float32Array(2 * stored.length);
        const join = (target: Float32Array, a: Float32Array, b: Float32Array, sign: number) => {
          for (let row = 0; row < a.length / taken.inputs; row++) {
            for (let i = 0; i < taken.inputs; i++) {
              target[2 * row * taken.inputs + i] = a[row * taken.inputs + i];
              target[(2 * row + 1) * taken.inputs + i] = sign * b[row * taken.inputs + i];
            }
          }
        };
        join(both.values, changed.values, taken.values, 1);
        join(weights, other, stored, -1);
        return sumSquares(both, weights);
      };
      // Rounding at half a step depends on the last bit of an input.
      expect(both.get(weight)!.squaredError / twice(int3)).toBeCloseTo(1, 1);
      expect(alone.get(weight)!.squaredError / twice(stored)).toBeCloseTo(1, 1);
    }
  });

  it('takes folded factors out again, of weights and of outputs', async () => {
    const request = await walk('llama-gqa-llama3rope');
    const { pool, model } = request;
    const weight = 'model.layers.0.mlp.up_proj.weight';
    const taken = (await observe(pool, model)).get(weight)!;
    const stored = await logicalValues(pool, model, weight);
    const { inputs } = taken;
    // Powers of two, so that taking them out leaves the very weights.
    const ofInputs = Float32Array.from({ length: inputs }, (_, i) => 2 ** ((i % 5) - 2));
    const ofOutputs = Float32Array.from(
      { length: stored.length / inputs },
      (_, i) => 2 ** ((i % 7) - 3),
    );
    const scaled = stored.map(
      (value, at) => (value * ofInputs[at % inputs]) / ofOutputs[Math.floor(at / inputs)],
    );
    const variant = (activations?: string) => ({
      id: `scaled ${activations ?? ''}`,
      changes: new Map([[weight, { values: scaled }]]),
      factors: new Map([[weight, { inputs: ofInputs, outputs: ofOutputs }]]),
      comparesWeights: true,
      ...(activations && {
        activations: inActivationFormat(parseActivationFormat(activations), [weight]),
      }),
    });
    const [plain, rounded] = await measureOutputErrors(request, [variant(), variant('int8-token')]);
    const { squaredError, squaredOutput, weights } = plain.get(weight)!;
    expect(squaredError / squaredOutput).toBeLessThan(1e-12);
    const sum = (of: (difference: (typeof weights & object)[number]) => number) =>
      weights!.reduce((total, each) => total + of(each), 0);
    expect(sum(({ errors }) => errors.squaredError)).toBe(0);
    expect(sum((each) => each.weights.elements)).toBe(stored.length);
    // Inputs are rounded as the folded model has them: divided.
    const perInput = (of: (value: number, factor: number) => number, { values }: Inputs) =>
      values.map((value, at) => of(value, ofInputs[at % inputs]));
    const divided = { ...taken, values: perInput((value, factor) => value / factor, taken) };
    const steps = perInput((value, factor) => value * factor, roundTokens(divided));
    const errors = { ...taken, values: steps.map((value, at) => value - taken.values[at]) };
    const expected = sumSquares(errors, stored);
    expect(rounded.get(weight)!.squaredError / expected).toBeCloseTo(1, 1);
  });

  it('rounds inputs by the static ranges of a variant', async () => {
    const request = await walk('llama-gqa-llama3rope');
    const { pool, model, tensors, windows } = request;
    const ranges = await findInputRanges({ pool, model, windows, settings: SETTINGS });
    const format = parseActivationFormat('int8-static');
    const variant = (share: number) => ({
      id: `static ${share}`,
      changes: new Map(),
      activations: new Map(
        [...tensors].map((name) => [name, { format, range: ranges.get(name)! * share }]),
      ),
      factors: new Map(),
      comparesWeights: false,
    });
    const [whole, half] = await measureOutputErrors(request, [variant(1), variant(0.25)]);
    for (const [name, { squaredError }] of whole) {
      expect(squaredError).toBeGreaterThan(0);
      // What exceeds the range is clamped, which costs more than finer steps give.
      expect(half.get(name)!.squaredError, name).toBeGreaterThan(squaredError);
    }
  });

  it('rounds inputs with a scale for each', async () => {
    const request = await walk('llama-gqa-llama3rope');
    const { pool, model, tensors } = request;
    const seen = await observe(pool, model);
    const format = parseActivationFormat('int8-shifted');
    const { levels } = format.entry;
    const scaleOf = (inputs: number) =>
      Float32Array.from({ length: inputs }, (_, i) => 2 ** -(i % 5));
    const activations = [...tensors].map((name) => {
      const scale = scaleOf(seen.get(name)!.inputs);
      return [name, { format, fixed: { levels, scale } }] as const;
    });
    const variant = { id: 'shifted', changes: new Map(), activations: new Map(activations) };
    const none = { factors: new Map(), comparesWeights: false };
    const [errors] = await measureOutputErrors(request, [{ ...variant, ...none }]);
    for (const [name, { squaredError }] of errors) {
      const taken = seen.get(name)!;
      const scale = scaleOf(taken.inputs);
      // Steps are powers of two: the same in f64.
      const values = taken.values.map((value, at) => {
        const step = scale[at % taken.inputs];
        return Math.min(Math.max(Math.round(value / step), -127), 127) * step - value;
      });
      const expected = sumSquares({ ...taken, values }, await logicalValues(pool, model, name));
      expect(squaredError / expected, name).toBeCloseTo(1, 2);
    }
  });
});
