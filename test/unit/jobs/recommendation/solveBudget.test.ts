// Budgets: exact against all assignments of small problems, and within a bound of large ones.
import { describe, expect, it } from 'vitest';
import {
  solveBudget,
  traceFront,
  type Choice,
} from '../../../../src/jobs/recommendation/solveBudget.js';

/** Numbers in [0, 1) by a seed (mulberry32). */
function makeRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** Groups whose choices have whole weights, as bits are; every third problem has many equal ones. */
function makeProblem(seed: number, groupCount: number, mostChoices: number): Choice[][] {
  const random = makeRandom(seed);
  const steps = seed % 3 === 0 ? 4 : 1000;
  return Array.from({ length: groupCount }, () =>
    Array.from({ length: 1 + Math.floor(random() * mostChoices) }, () => ({
      weight: Math.floor(random() * steps),
      cost: Math.floor(random() * steps) / steps,
    })),
  );
}

/** The least cost within a budget, by trying everything. */
function bruteForce(groups: readonly (readonly Choice[])[], budget: number): number | undefined {
  let best: number | undefined;
  const visit = (group: number, weight: number, cost: number): void => {
    if (weight > budget) return;
    if (group === groups.length) {
      if (best === undefined || cost < best) best = cost;
      return;
    }
    for (const choice of groups[group]) {
      visit(group + 1, weight + choice.weight, cost + choice.cost);
    }
  };
  visit(0, 0, 0);
  return best;
}

function sumOf(groups: readonly (readonly Choice[])[], picked: readonly number[]): Choice {
  return picked.reduce(
    (sum, index, group) => ({
      weight: sum.weight + groups[group][index].weight,
      cost: sum.cost + groups[group][index].cost,
    }),
    { weight: 0, cost: 0 },
  );
}

describe('a budget', () => {
  it('is spent as well as trying everything finds, in 2,000 small problems', () => {
    for (let seed = 0; seed < 2000; seed++) {
      const groups = makeProblem(seed, 1 + (seed % 6), 5);
      const most = groups.reduce((sum, list) => sum + Math.max(...list.map((c) => c.weight)), 0);
      const budget = Math.floor(makeRandom(seed + 1e6)() * (most + 1));
      const expected = bruteForce(groups, budget);
      const found = solveBudget(groups, budget);
      if (expected === undefined) {
        expect(found).toBeUndefined();
        continue;
      }
      expect(found!.cost).toBeCloseTo(expected, 12);
      expect(found!.bound).toBe(found!.cost);
      expect(found!.weight).toBeLessThanOrEqual(budget);
      expect(sumOf(groups, found!.picked)).toEqual({ weight: found!.weight, cost: found!.cost });
    }
  });

  it('is spent exactly on 300 tensors in 20 formats', () => {
    const random = makeRandom(5);
    const groups = Array.from({ length: 300 }, () => {
      const elements = 4096 * (1 + Math.floor(random() * 6));
      const alpha = 10 ** (3 * random());
      return Array.from({ length: 20 }, (_, format) => {
        const bits = 2 + format * 0.3 + 0.2 * random();
        return {
          weight: Math.round(bits * elements),
          cost: alpha * 4 ** -bits * (1 + 0.3 * random()),
        };
      });
    });
    const elements = groups.reduce((sum, [first]) => sum + first.weight / 2.1, 0);
    const found = solveBudget(groups, 3.7 * elements)!;
    expect(found.bound).toBe(found.cost);
    const best = traceFront(groups).filter(({ weight }) => weight <= 3.7 * elements);
    expect(found.cost).toBeLessThanOrEqual(best[best.length - 1].cost);
  });

  it('too small for the lightest choices has no solution', () => {
    expect(solveBudget([[{ weight: 3, cost: 1 }]], 2)).toBeUndefined();
    expect(solveBudget([[{ weight: 3, cost: 1 }]], 3)).toEqual({
      picked: [0],
      weight: 3,
      cost: 1,
      bound: 1,
    });
  });
});

describe('the front', () => {
  it('is convex, and each of its points is the best of its weight', () => {
    for (let seed = 0; seed < 200; seed++) {
      const groups = makeProblem(seed, 1 + (seed % 5), 5);
      const points = traceFront(groups);
      for (const [at, { weight, cost, picked, price }] of points.entries()) {
        expect(sumOf(groups, picked)).toEqual({ weight, cost });
        expect(cost).toBeCloseTo(bruteForce(groups, weight)!, 12);
        if (at > 0) expect(price).toBeLessThanOrEqual(points[at - 1].price);
      }
    }
  });
});
