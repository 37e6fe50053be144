import { describe, expect, it } from 'vitest';
import {
  confidenceAwareDivergence,
  confidenceOf,
  divergencesOf,
} from '../../../src/metrics/logitDivergence.js';

const logs = (...probabilities: number[]) => Float32Array.from(probabilities, Math.log);

describe('divergencesOf', () => {
  it('gives both directions, whatever the logits are shifted by', () => {
    const teacher = logs(0.5, 0.25, 0.25);
    const student = logs(0.25, 0.5, 0.25).map((x) => x + 100);
    const { forward, reverse } = divergencesOf(teacher, student);
    expect(forward).toBeCloseTo(0.25 * Math.log(2), 5);
    expect(reverse).toBeCloseTo(0.25 * Math.log(2), 5);
    const skewed = divergencesOf(logs(0.9, 0.1), logs(0.5, 0.5));
    expect(skewed.forward).toBeCloseTo(0.9 * Math.log(1.8) + 0.1 * Math.log(0.2), 6);
    expect(skewed.reverse).toBeCloseTo(0.5 * Math.log(1 / 1.8) + 0.5 * Math.log(5), 6);
    expect(confidenceAwareDivergence(0.25, skewed)).toBeCloseTo(
      0.25 * skewed.reverse + 0.75 * skewed.forward,
      12,
    );
  });

  it('is zero between equals, tokens that both exclude included', () => {
    const logits = logs(0.5, 0, 0.5);
    expect(divergencesOf(logits, logits)).toEqual({ forward: 0, reverse: 0 });
  });

  it('is infinite where one side excludes what the other does not', () => {
    const divergences = divergencesOf(logs(0.5, 0.5), logs(1, 0));
    expect(divergences.forward).toBe(Infinity);
    expect(divergences.reverse).toBeCloseTo(Math.log(2), 6);
    expect(confidenceAwareDivergence(1, divergences)).toBeCloseTo(Math.log(2), 6);
    expect(confidenceAwareDivergence(0.5, divergences)).toBe(Infinity);
  });
});

describe('confidenceOf', () => {
  const logits = logs(0.2, 0.7, 0.1);
  it("is the next token's probability as the paper has it", () =>
    expect(confidenceOf('target', logits, 2)).toBeCloseTo(0.1, 6));
  it('is the largest probability as the code has it', () =>
    expect(confidenceOf('largest', logits, 2)).toBeCloseTo(0.7, 6));
});
