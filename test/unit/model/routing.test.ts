import { describe, expect, it } from 'vitest';
import { chooseExperts } from '../../../src/model/forward/routing.js';
import { roomFor } from '../../../src/model/evaluation/expertRegions.js';
import { shares } from '../../support/plainMixture.js';

function choose(logits: readonly number[], count: number, normalized: boolean) {
  const experts = new Int32Array(count);
  const weights = new Float32Array(count);
  chooseExperts(Float32Array.from(logits), normalized, experts, weights);
  return { experts: [...experts], weights: [...weights] };
}

describe('a router', () => {
  it.each([true, false])('gives shares by definition, normalized: %s', (normalized) => {
    const logits = Float32Array.from({ length: 12 }, (_, i) => Math.sin(i * i + 1) * 4);
    for (let expertsPerRow = 1; expertsPerRow <= 12; expertsPerRow++) {
      const expected = shares({ expertsPerRow, normalized }, Float64Array.from(logits));
      const { experts, weights } = choose([...logits], expertsPerRow, normalized);
      expect(experts).toEqual([...expected.keys()]);
      weights.forEach((weight, i) => expect(weight).toBeCloseTo(expected.get(experts[i])!, 6));
    }
  });

  it('takes lower numbers where logits are equal', () => {
    expect(choose([1, 2, 2, 2, 0], 2, true)).toEqual({ experts: [1, 2], weights: [0.5, 0.5] });
    expect(choose([0, 0, 0, 0], 3, false)).toEqual({
      experts: [0, 1, 2],
      weights: [0.25, 0.25, 0.25],
    });
    expect(choose([3, 0, 3, 0], 3, true).experts).toEqual([0, 2, 1]);
  });

  it('stays finite for large logits, and hides none that is not', () => {
    expect(choose([-1e30, 1e30, 0], 2, true)).toEqual({ experts: [1, 2], weights: [1, 0] });
    expect(choose([0, NaN, 1], 2, true).weights).toEqual([NaN, NaN]);
    expect(choose([0, Infinity, 1], 2, false).weights).toEqual([NaN, NaN]);
  });
});

describe('room for experts', () => {
  it('is that of the largest, or of some small ones', () => {
    const megabyte = 1 << 20;
    expect(roomFor([100 * megabyte, 200 * megabyte, 150 * megabyte])).toBe(200 * megabyte);
    expect(roomFor(new Array<number>(128).fill(20 * megabyte))).toBe(64 * megabyte);
    expect(roomFor([megabyte, megabyte])).toBe(2 * megabyte);
    expect(roomFor([])).toBe(0);
  });
});
