// Weights that are kept by their gradients, against the definition over whole matrices.
import { beforeAll, describe, expect, it } from 'vitest';
import { roundHalfEven, roundToF16 } from '../../../src/formats/float32.js';
import { parseFormat } from '../../../src/formats/index.js';
import { hideKept } from '../../../src/methods/gwq/gwqMethods.js';
import { findLargest } from '../../../src/methods/gwq/quantizeStep.js';
import { findMethod } from '../../../src/methods/index.js';
import { parseScheme } from '../../../src/methods/schemes.js';
import { countSchemeBits } from '../../../src/methods/storage.js';
import type { QuantizeWithGradients } from '../../../src/methods/types.js';
import { CalibrationMachine } from '../../support/calibrationMachine.js';
import { Random } from '../../support/forwardScene.js';

const f = Math.fround;
const gwq = findMethod('gwq')!;
const step = gwq.quantize as QuantizeWithGradients;

let machine: CalibrationMachine;
beforeAll(async () => {
  machine = await CalibrationMachine.create();
});

/** INT with a zero point of one group, whose extremes are those of the weights that are not kept; scales in f32. */
function byDefinition(group: Float32Array, isKept: (i: number) => boolean, bits: number) {
  const others = group.filter((_, i) => !isKept(i));
  const [low, high] = [Math.min(0, ...others), Math.max(0, ...others)];
  const top = 2 ** bits - 1;
  const scale = f(f(high - low) / top);
  const zero = roundHalfEven(f(-low / scale));
  return group.map((weight, i) => {
    if (isKept(i)) return roundToF16(weight);
    const code = roundHalfEven(f(weight / scale)) + zero;
    return scale * (Math.min(top, Math.max(0, code)) - zero);
  });
}

describe('gwq', () => {
  it.each([
    ['int4:g16', 4, 16, 48, 1],
    ['int3:g32', 3, 32, 80, 5],
    ['int2:row', 2, 40, 40, 20],
  ] as const)('%s gives the weights of the definition', async (name, bits, size, inputs, kept) => {
    const random = new Random(11);
    const outputs = 130;
    const weights = random
      .floats(outputs * inputs, 0.02)
      .map((w, i) => (i % 89 === 0 ? 20 * w : w));
    const gradient = random.floats(outputs * inputs, 1);
    const site = machine.site(inputs, [weights], parseFormat(name));
    const [finding] = await step.quantize(site, () => gradient, { kept }, {});
    const count = Math.round((weights.length * kept) / 100);
    const order = [...gradient.keys()].sort(
      (a, b) => Math.abs(gradient[b]) - Math.abs(gradient[a]),
    );
    const chosen = new Set(order.slice(0, count));
    const wanted = new Float32Array(weights.length);
    for (let row = 0; row < outputs; row++) {
      for (let first = 0; first < inputs; first += size) {
        const at = row * inputs + first;
        const group = weights.slice(at, at + Math.min(size, inputs - first));
        wanted.set(
          byDefinition(group, (i) => chosen.has(at + i), bits),
          at,
        );
      }
    }
    expect(machine.floats(site.linears[0].weights.at, weights.length)).toEqual(wanted);
    const squares = (places: Iterable<number>) =>
      [...places].reduce((sum, place) => sum + gradient[place] ** 2, 0);
    expect(finding.values.kept).toBe(count);
    expect(finding.values.gradientShare).toBeCloseTo(squares(chosen) / squares(order), 6);
  });

  it('keeps the first of equally large ones', () => {
    expect(findLargest(new Float32Array([1, -3, 2, 3, -2, 2]), 4)).toEqual(
      new Int32Array([1, 2, 3, 4]),
    );
    expect(findLargest(new Float32Array([0, 0, 0]), 2)).toEqual(new Int32Array([0, 1]));
    expect(findLargest(new Float32Array([1, 2]), 0)).toEqual(new Int32Array(0));
  });

  it('hides kept weights behind others of their groups', () => {
    const weights = new Float32Array([9, 1, 9, 2, 9, 9, 3, 9]);
    // Two rows of four columns, in groups of three: {9, 1, 9}, {2}, {9, 9, 3}, {9}.
    hideKept(weights, new Int32Array([0, 2, 4, 5, 7]), 4, 3);
    expect(weights).toEqual(new Float32Array([1, 1, 1, 2, 3, 3, 3, 0]));
  });

  it('counts kept weights and their places', () => {
    const bits = (name: string) => countSchemeBits(parseScheme(name), [64, 128], 'f16');
    expect(bits('int3:g64+gwq') - bits('int3:g64')).toBe(82 * 32);
    expect(bits('int3:g64+gwq:kept=2') - bits('int3:g64')).toBe(164 * 32);
  });

  it.each([
    ['q4_k', 'fits a whole block at once'],
    ['f16', 'has no groups'],
    ['int4:g64+mse', '"+mse" cannot be added'],
    ['int4:tensor', 'needs scales of single groups'],
    ['nvfp4', 'needs scales of single groups'],
  ])('does not take %s', (name, reason) => {
    expect(gwq.refuses(parseFormat(name))).toContain(reason);
  });
});
