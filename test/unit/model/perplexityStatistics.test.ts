import { describe, expect, it } from 'vitest';
import type { WindowScore } from '../../../src/model/evaluation/types.js';
import {
  computeBaselinePerplexity,
  computePerplexity,
} from '../../../src/model/scores/perplexity.js';

function score(targets: number, nll: number, divergence = 0, agreements = targets): WindowScore {
  const [reverseDivergence, confidence] = [3 * divergence, targets / 4];
  return { targets, nll, divergence, reverseDivergence, confidence, agreements };
}

/** Reproducible uniform numbers in [0, 1). */
function uniform(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

/** Windows of unequal length and difficulty, and the same windows a little worse. */
function pairedWindows(count: number): { baseline: WindowScore[]; changed: WindowScore[] } {
  const next = uniform(7);
  const noise = () => next() + next() + next() + next() - 2;
  const baseline: WindowScore[] = [];
  const changed: WindowScore[] = [];
  for (let window = 0; window < count; window++) {
    const targets = 20 + Math.floor(next() * 200);
    const nll = targets * (3 + 0.5 * noise());
    baseline.push(score(targets, nll));
    changed.push(score(targets, nll + targets * (0.05 + 0.02 * noise())));
  }
  return { baseline, changed };
}

const perplexity = (scores: readonly WindowScore[]) =>
  Math.exp(
    scores.reduce((sum, { nll }) => sum + nll, 0) /
      scores.reduce((sum, { targets }) => sum + targets, 0),
  );

function standardDeviation(values: readonly number[]): number {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return Math.sqrt(squares / (values.length - 1));
}

describe('perplexity', () => {
  it('weights windows by their tokens', () => {
    const { value, nll, tokens } = computeBaselinePerplexity([score(1, 4), score(3, 6)]);
    expect({ nll, tokens }).toEqual({ nll: 2.5, tokens: 4 });
    expect(value).toBe(Math.exp(2.5));
  });

  it('has the textbook error of a mean where windows are of one length', () => {
    const means = [2.9, 3.1, 3.4, 2.7, 3.05];
    const { standardError } = computeBaselinePerplexity(
      means.map((mean) => score(255, 255 * mean)),
    );
    const grand = means.reduce((sum, mean) => sum + mean, 0) / means.length;
    const error = standardDeviation(means) / Math.sqrt(means.length);
    expect(standardError! / (Math.exp(grand) * error)).toBeCloseTo(1, 10);
  });

  it('has the errors that resampling windows shows, single and paired', () => {
    const { baseline, changed } = pairedWindows(150);
    const next = uniform(11);
    const values: number[] = [];
    const differences: number[] = [];
    for (let round = 0; round < 4000; round++) {
      const picks = baseline.map(() => Math.floor(next() * baseline.length));
      const value = perplexity(picks.map((pick) => changed[pick]));
      values.push(value);
      differences.push(value - perplexity(picks.map((pick) => baseline[pick])));
    }
    const measured = computePerplexity(changed, baseline);
    expect(measured.standardError! / standardDeviation(values)).toBeCloseTo(1, 1);
    expect(measured.deltaStandardError! / standardDeviation(differences)).toBeCloseTo(1, 1);
    // What the pairing is for.
    expect(measured.deltaStandardError!).toBeLessThan(measured.standardError! / 5);
    expect(measured.deltaVsBaseline).toBe(perplexity(changed) - perplexity(baseline));
  });

  it('is nowhere off itself, with no error', () => {
    const { baseline } = pairedWindows(10);
    expect(computePerplexity(baseline, baseline)).toMatchObject({
      deltaVsBaseline: 0,
      deltaStandardError: 0,
      klDivergence: 0,
      topTokenAgreement: 1,
    });
    expect(computeBaselinePerplexity(baseline)).toMatchObject({
      deltaVsBaseline: 0,
      deltaStandardError: 0,
    });
    expect(computeBaselinePerplexity(baseline)).not.toHaveProperty('klDivergence');
  });

  it('averages divergence and agreement over tokens', () => {
    const measured = computePerplexity(
      [score(1, 4, 0.5, 1), score(3, 6, 0.1, 2)],
      [score(1, 4), score(3, 6)],
    );
    expect(measured.klDivergence).toBeCloseTo(0.15, 15);
    expect(measured.reverseKlDivergence).toBeCloseTo(0.45, 15);
    expect(measured.topTokenAgreement).toBe(0.75);
  });

  it("weighs the two divergences by the unquantized model's confidence", () => {
    const changed = [score(1, 4, 0.5), score(3, 6, 0.1)];
    const unsure = changed.map((each) => ({ ...each, confidence: 0 }));
    const { cakld, confidence } = computePerplexity(unsure, [score(1, 4), score(3, 6)]);
    expect(confidence).toBe(0);
    expect(cakld).toBeCloseTo(0.25 * 0.45 + 0.75 * 0.15, 15);
  });

  it('knows no error of a single window', () => {
    const one = [score(10, 20)];
    expect(computeBaselinePerplexity(one).standardError).toBeNull();
    expect(computePerplexity([score(10, 21)], one)).toMatchObject({
      standardError: null,
      deltaStandardError: null,
    });
  });
});
