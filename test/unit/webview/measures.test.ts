import { describe, expect, it } from 'vitest';
import { ALL_MEASURES, ERROR_MEASURES } from '../../../src/metrics/measures.js';
import {
  MEASURES,
  advantage,
  advantageUnit,
  bestOf,
  columnFormat,
} from '../../../webview/comparison/measures.js';

describe('columns of measures', () => {
  it('have one unit and one precision', () => {
    const mse = columnFormat('mse', [3.504e-5, 4.26e-5, 1.612e-4]);
    expect([mse.unit, mse.text(3.504e-5), mse.text(1.612e-4)]).toEqual(['10⁻⁵', '3.50', '16.12']);
    const wide = columnFormat('mse', [3.5e-5, 0.2, 0]);
    expect([wide.unit, wide.text(3.5e-5), wide.text(0)]).toEqual(['', '3.50e−5', '0']);
    const size = columnFormat('sizeBytes', [1_634_304, 1_671_168]);
    expect([size.unit, size.text(1_634_304)]).toEqual(['KB', '1,596']);
    expect(columnFormat('sizeBytes', [2 ** 31]).unit).toBe('GB');
    expect(columnFormat('sqnrDb', []).text(undefined)).toBe('–');
  });

  it('rank by what is better, and not where nothing is', () => {
    expect(bestOf('sqnrDb', [19, 20, undefined])).toBe(20);
    expect(bestOf('mse', [3, 2])).toBe(2);
    expect(bestOf('mse', [2, 2])).toBeUndefined();
    expect(bestOf('rmseOverStep', [0.28, 0.3])).toBeUndefined();
    expect(advantage('sqnrDb', 20, 19)).toBeCloseTo(1, 12);
    expect(advantage('mse', 1e-5, 1e-4)).toBeCloseTo(10, 12);
    expect(advantage('underflowFraction', 0.2, 0.1)).toBeCloseTo(-0.1, 12);
  });

  it('are there for every measure of error, written by its kind', () => {
    const text = ALL_MEASURES.map((id) => columnFormat(id, [0.25]).text(0.25));
    expect(Object.fromEntries(ALL_MEASURES.map((id, i) => [id, text[i]]))).toMatchObject({
      mse: '2.50',
      rmse: '0.250',
      sqnrDb: '0.25',
      cosine: '0.250',
      maxAbsError: '0.250',
      rmseOverStep: '0.250',
      underflowFraction: '25.0',
      clippedFraction: '25.0',
      underflowMse: '2.50',
      nonFinite: '0',
    });
    expect(ALL_MEASURES.every((id) => MEASURES[id].label === ERROR_MEASURES[id].label)).toBe(true);
  });

  it('differ in units that suit them', () => {
    expect(advantageUnit('maxAbsError')).toEqual({ unit: 'dB', factor: 1 });
    expect(advantageUnit('sqnrDb')).toEqual({ unit: 'dB', factor: 1 });
    expect(advantageUnit('clippedFraction')).toEqual({ unit: 'points', factor: 100 });
    expect(advantageUnit('perplexityDelta')).toEqual({ unit: '', factor: 1 });
    expect(advantage('maxAbsError', 0.1, 1)).toBeCloseTo(20, 12);
  });
});
