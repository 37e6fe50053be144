// MergeQuant's step against integers that are merged by hand, and the layout of channels.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseActivationFormat, parseFormat } from '../../../src/formats/index.js';
import { planChannels, unevennessOf } from '../../../src/methods/mergequant/channels.js';
import { mergeQuantStep } from '../../../src/methods/mergequant/quantizeStep.js';
import { createPool } from '../../support/checkpoints.js';
import { Random } from '../../support/forwardScene.js';
import { scaledAndBack } from '../../support/scalingGroup.js';

describe('the layout of channels', () => {
  it('splits large steps and leaves out what has the least energy', () => {
    const steps = Float32Array.from([1, 1, 9, 1, 0, 1, 4, 1]);
    const energies = Float64Array.from([5, 1, 0, 7, 9, 8, 0, 6]);
    // The median is 1: 9 needs three copies of 3, 4 is not above four medians.
    expect([...planChannels(steps, energies).copies]).toEqual([1, 0, 3, 1, 1, 1, 0, 1]);
  });

  it('keeps the number of channels, whatever they are', () => {
    const step = fc.oneof(
      fc.constant(0),
      fc.float({ min: Math.fround(1e-20), max: Math.fround(1e20) }),
    );
    fc.assert(
      fc.property(fc.array(step, { minLength: 1, maxLength: 40 }), (values) => {
        const steps = Float32Array.from(values);
        const { copies } = planChannels(
          steps,
          Float64Array.from(steps, (each) => each * each),
        );
        expect(copies.reduce((sum, count) => sum + count, 0)).toBe(steps.length);
        expect(Math.min(...copies)).toBeGreaterThanOrEqual(0);
      }),
    );
  });

  it('says how uneven steps are', () => {
    expect(unevennessOf(Float32Array.from([0, 1, 2, 8, 0]))).toBe(4);
    expect(unevennessOf(new Float32Array(3))).toBe(1);
  });
});

describe('the step', () => {
  const [inputs, rows] = [32, 48];
  const outputs = [10, 19];

  async function run(sizeOf: (input: number) => number) {
    const random = new Random(23);
    const pool = await createPool({ threads: 2 });
    const x = random.floats(rows * inputs).map((value, at) => value * sizeOf(at % inputs));
    const maxAbs = new Float32Array(inputs);
    x.forEach((value, at) => {
      maxAbs[at % inputs] = Math.max(maxAbs[at % inputs], Math.abs(value));
    });
    const weights = outputs.map((count) => random.floats(count * inputs, 0.2));
    const place = (values: Float32Array) => {
      const { start } = pool.reserve(values.byteLength);
      pool.write(start, values);
      return start;
    };
    const linears = weights.map((values, index) => ({
      name: `w${index}`,
      outputs: outputs[index],
      weights: { at: place(values), stride: inputs },
    }));
    const format = parseFormat('int4:row');
    const room = pool.reserve(mergeQuantStep.roomBytes(Math.max(...outputs), rows, inputs)).start;
    const { findings, roundings } = await mergeQuantStep.quantize(
      { machine: pool, block: 2, inputs, linears, format, scaleDtype: 'f32' },
      { matrix: { at: place(x), stride: inputs }, rows, maxAbs, room },
      parseActivationFormat('int4-static'),
      {},
    );
    const made = linears.map(({ weights: { at } }, index) =>
      new Float32Array(pool.memory.buffer, at, outputs[index] * inputs).slice(),
    );
    return { x, maxAbs, weights, format, made, values: findings[0].values, roundings };
  }

  const clamp = (code: number) => Math.min(Math.max(code, -7), 7);
  const rhe = (value: number) => {
    const floor = Math.floor(value);
    if (value - floor !== 0.5) return Math.round(value);
    return floor % 2 === 0 ? floor : floor + 1;
  };

  it.each([
    ['even inputs', () => 1],
    ['an input that is split', (input: number) => (input === 7 ? 40 : 1 + (input % 3))],
  ])('comes to integers times integers with merged steps: %s', async (_, sizeOf) => {
    const { x, weights, format, made, values, roundings } = await run(sizeOf);
    const steps = roundings.get('w0')!.scale as Float32Array;
    expect(roundings.get('w1')!.scale).toBe(steps);
    // Copies as the finding has them: one input is split, or none.
    const copies = steps.map((step, i) =>
      step > 0 && i === 7 && values.splitInputs === 1 ? NaN : 1,
    );
    const rest = steps.filter((step) => step === 0).length;
    expect(values.inputsLeftOut).toBe(rest);
    copies.forEach((count, i) => {
      if (Number.isNaN(count)) copies[i] = rest + 1;
    });
    let sum = 0;
    weights.forEach((matrix, linear) => {
      // Weights with the steps of all copies merged, quantized row by row.
      const merged = steps.map((step, i) => step / copies[i]);
      const safe = merged.map((each) => (each === 0 ? 1 : each));
      const columns = matrix.map((w, at) => (merged[at % inputs] === 0 ? 0 : w));
      const quantized = scaledAndBack(format, columns, inputs, safe);
      expect(made[linear]).toEqual(quantized.map((w) => w + 0));
      for (let row = 0; row < rows; row++) {
        for (let output = 0; output < outputs[linear]; output++) {
          let [integers, wanted] = [0, 0];
          for (let i = 0; i < inputs; i++) {
            const value = x[row * inputs + i];
            wanted += value * matrix[output * inputs + i];
            if (merged[i] === 0) continue;
            // Each copy holds x/n over a step of s/n.
            const code = clamp(rhe(Math.fround(value / steps[i])));
            integers += copies[i] * code * quantized[output * inputs + i] * merged[i];
          }
          sum += (integers - wanted) ** 2;
        }
      }
    });
    const loss = sum / rows / (outputs[0] + outputs[1]);
    expect(Math.abs(Number(values.loss) / loss - 1)).toBeLessThan(1e-4);
    expect(values.loss).toBeLessThan(Number(values.lossPerTensor));
  });

  it('has no use for splitting where inputs are alike', async () => {
    const { values } = await run(() => 1);
    expect(values).toMatchObject({ splitInputs: 0, inputsLeftOut: 0 });
  });

  it('evens out what is merged', async () => {
    const { values } = await run((input) => (input === 7 ? 40 : 1 + (input % 3)));
    expect(values.splitInputs).toBe(1);
    expect(values.unevennessMerged).toBeLessThan(Number(values.unevenness));
  });
});
