// Half-quadratic quantization against a plain version of its definition over whole matrices.
import { beforeAll, describe, expect, it } from 'vitest';
import { roundHalfEven, roundToF16 } from '../../../src/formats/float32.js';
import { computeBitsPerWeight, parseFormat } from '../../../src/formats/index.js';
import { shrink } from '../../../src/methods/hqq/halfQuadratic.js';
import { countRounds } from '../../../src/methods/hqq/quantizeStep.js';
import { findMethod } from '../../../src/methods/index.js';
import type { QuantizeAlone } from '../../../src/methods/types.js';
import { CalibrationMachine } from '../../support/calibrationMachine.js';
import { Random } from '../../support/forwardScene.js';

const f = Math.fround;
const hqq = findMethod('hqq')!;
const step = hqq.quantize as QuantizeAlone;

let machine: CalibrationMachine;
beforeAll(async () => {
  machine = await CalibrationMachine.create();
});

/** All groups together, round by round, as the definition has it; f32. */
function byDefinition(groups: readonly Float32Array[], bits: number, halfScales: boolean) {
  const top = 2 ** bits - 1;
  const multipliers = groups.map((group) => {
    return Math.min(f(top / f(Math.max(...group) - Math.min(...group))), 2e4);
  });
  let zeros = groups.map((group, i) => f(-Math.min(...group) * multipliers[i]));
  const codesOf = () =>
    groups.map((group, i) =>
      Array.from(group, (w) =>
        Math.min(Math.max(roundHalfEven(f(f(w * multipliers[i]) + zeros[i])), 0), top),
      ),
    );
  let beta = 10;
  let best = 1e4;
  let rounds = 0;
  while (rounds < 20) {
    const codes = codesOf();
    let [sum, count] = [0, 0];
    const next = zeros.map((zero, i) => {
      let total = 0;
      groups[i].forEach((w, j) => {
        const error = f(w - f(f(codes[i][j] - zero) / multipliers[i]));
        sum += Math.abs(error);
        count++;
        const size = Math.abs(error);
        const pull = size === 0 ? Infinity : f(f(1 / beta) * f(size ** f(0.7 - 1)));
        const kept = f(Math.sign(error) * Math.max(f(size - pull), 0));
        total += f(codes[i][j] - f(f(w - kept) * multipliers[i]));
      });
      return f(total / groups[i].length);
    });
    zeros = next;
    beta *= 1.01;
    rounds++;
    if (!(sum / count < best)) break;
    best = sum / count;
  }
  const store = (x: number) => (halfScales ? roundToF16(x) : x);
  const values = codesOf().map((codes, i) =>
    codes.map((code) => f(f(code - store(zeros[i])) * store(f(1 / multipliers[i])))),
  );
  return { values, rounds };
}

function cut(weights: Float32Array, inputs: number, size: number): Float32Array[] {
  const groups: Float32Array[] = [];
  for (let at = 0; at < weights.length;) {
    const columns = Math.min(size, inputs - (at % inputs));
    groups.push(weights.slice(at, at + columns));
    at += columns;
  }
  return groups;
}

describe.each([
  ['int4:g16', 16, 48, 'f32', 0.02],
  ['int3:g16', 16, 40, 'f16', 0.02],
  ['int2:row', 24, 24, 'f16', 0.5],
  // Errors of a size that the proximal operator does not remove.
  ['int2:g32', 32, 64, 'f32', 40],
] as const)('%s', (name, group, inputs, scaleDtype, size) => {
  it(`gives the weights of the definition (sizes about ${size})`, async () => {
    const random = new Random(7);
    const weights = random.floats(100 * inputs, size).map((w, i) => (i % 97 === 0 ? 6 * w : w));
    weights.fill(0, 0, group);
    weights.fill(0.25, inputs, inputs + group);
    const format = parseFormat(name);
    const site = machine.site(inputs, [weights], format, scaleDtype);
    const [finding] = await step.quantize(site, {}, {});
    const wanted = byDefinition(
      cut(weights, inputs, group),
      format.entry.bits,
      scaleDtype === 'f16',
    );
    const quantized = machine.floats(site.linears[0].weights.at, weights.length);
    expect(quantized).toEqual(Float32Array.from(wanted.values.flat()));
    const { rounds, meanAbsError, meanAbsErrorBefore } = finding.values;
    expect(rounds).toBe(wanted.rounds);
    const error = quantized.reduce((sum, v, i) => sum + Math.abs(v - weights[i]), 0);
    expect(meanAbsError).toBeCloseTo(error / weights.length, 9);
    expect(meanAbsError).toBeLessThan(Number(meanAbsErrorBefore) * 1.001);
  });
});

describe('hqq', () => {
  it('shrinks errors as its proximal operator does, small ones to zero', () => {
    for (const x of [1e-3, 0.1, 0.17, 0.1701, 0.1702, 0.18, 0.5, 3]) {
      const wanted = Math.max(x - x ** -0.3 / 10, 0);
      expect(shrink(x, 0)).toBeCloseTo(wanted, 6);
      expect(shrink(-x, 0)).toBeCloseTo(-wanted, 6);
      expect(shrink(x, 19)).toBeCloseTo(Math.max(x - x ** -0.3 / (10 * 1.01 ** 19), 0), 6);
    }
  });

  it('stops with the round that does not improve', () => {
    expect(countRounds([3, 2, 1, 1, 0.5])).toBe(4);
    expect(countRounds([3, 4, 1])).toBe(2);
    expect(countRounds([3, 2, 1])).toBe(3);
    expect(countRounds([NaN, 2, 1])).toBe(1);
  });

  it('stores zero points as floats', () => {
    const format = parseFormat('int4:g64');
    const extra = hqq.extraBitsPerGroup!(format, 'f16');
    expect(computeBitsPerWeight(format, [64, 64]) + extra / 64).toBe(4 + 32 / 64);
  });

  it.each([
    ['int4:g64', undefined],
    ['int2:row', undefined],
    [
      'int4-awq',
      'HQQ finds scale and zero point of integers itself: write intN with a group, as int4:g64',
    ],
    [
      'afp4',
      'HQQ finds scale and zero point of integers itself: write intN with a group, as int4:g64',
    ],
    ['int4:g64+mse', 'HQQ searches by itself, "+mse" cannot be added'],
    ['int4:tensor', 'HQQ needs groups of a row or less, not a whole tensor'],
  ])('refuses what has no zero point of its own: %s', (name, reason) => {
    expect(hqq.refuses(parseFormat(name))).toBe(reason);
  });
});
