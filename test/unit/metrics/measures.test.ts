import { describe, expect, it } from 'vitest';
import { foldErrorSums, ERROR_SUMS, RAW } from '../../../src/kernels/types.js';
import { ErrorAccumulator, WeightAccumulator } from '../../../src/metrics/errorAccumulator.js';
import { DetailedAsymmetryAccumulator } from '../../../src/metrics/asymmetries.js';
import {
  ALL_MEASURES,
  ERROR_MEASURES,
  MAIN_MEASURES,
  TABLE_MEASURES,
} from '../../../src/metrics/measures.js';

/** Raw results in which every number differs. */
const raw = (first: number): Float64Array =>
  Float64Array.from({ length: RAW.length }, (_, i) => first + i);

/** Eight weights: one is zero, one is NaN. */
function eightWeights(): WeightAccumulator {
  const weights = new WeightAccumulator();
  weights.add({
    elements: 8,
    nonFinite: 1,
    firstNonFinite: 3,
    zeros: 1,
    sumSquares: 28,
    min: -4,
    max: 4,
  });
  return weights;
}

describe('sums of errors', () => {
  it('cover a raw result, each lane in one of them', () => {
    const covered = Object.values(ERROR_SUMS).flatMap(({ at, lanes }) =>
      lanes === 2 ? [at, at + 1] : [at],
    );
    expect(covered.sort((a, b) => a - b)).toEqual([...Array(RAW.length).keys()]);
  });

  it('are added chunk by chunk, and the largest error is the largest of all', () => {
    const errors = new ErrorAccumulator();
    errors.add(foldErrorSums(raw(100)));
    errors.add(foldErrorSums(raw(50)));
    expect(errors.sums).toEqual({
      squaredError: 201 + 101,
      squaredValue: 205 + 105,
      squaredStepError: 209 + 109,
      squaredUnderflow: 213 + 113,
      maxAbsError: 108,
      underflow: 109 + 59,
      clipped: 110 + 60,
      badScales: 111 + 61,
      oneSigned: 112 + 62,
      notStraddling: 113 + 63,
    });
  });
});

describe('measures of error', () => {
  it('are those of their definitions', () => {
    const errors = new ErrorAccumulator();
    errors.add({
      ...errors.sums,
      squaredError: 7,
      squaredValue: 21,
      squaredStepError: 0.28,
      squaredUnderflow: 3.5,
      maxAbsError: 2,
      underflow: 3,
      clipped: 1,
    });
    const { sqnrDb, cosine, rmseOverStep, ...others } = errors.measures(eightWeights());
    expect(sqnrDb).toBeCloseTo(10 * Math.log10(4), 12);
    expect(cosine).toBeCloseTo(21 / Math.sqrt(28 * 21), 12);
    expect(rmseOverStep).toBeCloseTo(0.2, 12);
    expect(others).toMatchObject({
      mse: 1,
      rmse: 1,
      maxAbsError: 2,
      underflowFraction: 0.5,
      clippedFraction: 1 / 7,
      underflowMse: 0.5,
      nonFinite: 1,
    });
  });

  it('find no error where there is none, or no weight', () => {
    const none = { mse: 0, rmse: 0, sqnrDb: Infinity, underflowMse: 0, underflowFraction: 0 };
    const nothing = new ErrorAccumulator().measures(new WeightAccumulator());
    expect(nothing).toMatchObject({ ...none, cosine: 1, rmseOverStep: 0, clippedFraction: 0 });
  });

  it('all have a label of their own, and those of tables are among them', () => {
    expect(new Set(ALL_MEASURES.map((id) => ERROR_MEASURES[id].label)).size).toBe(
      ALL_MEASURES.length,
    );
    expect(ALL_MEASURES).toEqual(expect.arrayContaining([...TABLE_MEASURES]));
    expect(TABLE_MEASURES).toEqual(expect.arrayContaining([...MAIN_MEASURES]));
  });
});

it('quantiles of asymmetry have their sign; those of its magnitude have none', () => {
  // Four groups: −1, −0.5, 0 and +0.5; the fifth is all zero and has none.
  const positive = Float32Array.from([0, 1, 2, 3, 0]);
  const negative = Float32Array.from([5, 3, 2, 1, 0]);
  const asymmetries = new DetailedAsymmetryAccumulator(5);
  asymmetries.addExtremes(positive, negative);
  const { mean, p50, p95, absolute } = asymmetries.summarize();
  expect({ mean, p50, p95 }).toEqual({ mean: -0.25, p50: 0, p95: 0.5 });
  expect(absolute).toEqual({ p50: 0.5, p95: 1 });
});
