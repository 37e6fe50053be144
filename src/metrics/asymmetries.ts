import { asymmetryOf } from '../kernels/statistics/asymmetry.js';
import { QuantileAccumulator } from './quantileAccumulator.js';
import type { AsymmetrySummary } from './types.js';

const BINS = 80;
const MEDIAN_AND_95 = [0.5, 0.95];

/**
 * Mean and quantiles of the asymmetries of a tensor's groups, which come in order and in parts. Like
 * {@link QuantileAccumulator} it may ask for all of them twice.
 */
export class AsymmetryAccumulator {
  private readonly quantiles: QuantileAccumulator;
  private count = 0;
  private sum = 0;
  private second = false;

  /** @param groups how many there are; those that are all zero have no asymmetry */
  constructor(groups: number, maxKept?: number) {
    this.quantiles = new QuantileAccumulator(groups, MEDIAN_AND_95, maxKept);
  }

  /** @param sum of the values before they were rounded to f32 */
  add(values: Float32Array, sum: number): void {
    this.quantiles.add(values);
    if (this.second) return;
    this.count += values.length;
    this.sum += sum;
  }

  /** @param positive largest positive weight of each group, 0 where none; `negative` likewise */
  addExtremes(positive: Float32Array, negative: Float32Array): void {
    const values = new Float32Array(positive.length);
    let found = 0;
    for (let group = 0; group < positive.length; group++) {
      const asymmetry = asymmetryOf(positive[group], negative[group]);
      if (asymmetry === undefined) continue;
      values[found++] = asymmetry;
      // One after the other: the sum does not depend on the parts.
      if (!this.second) this.sum += asymmetry;
    }
    if (!this.second) this.count += found;
    this.quantiles.add(values.subarray(0, found));
  }

  /** Call when all groups were added. @returns true where they have to be added once more */
  beginSecondPass(): boolean {
    this.second = true;
    return this.quantiles.beginSecondPass();
  }

  summarize(): Pick<AsymmetrySummary, 'mean' | 'p50' | 'p95'> {
    const [p50, p95] = this.quantiles.quantiles();
    return { mean: this.count > 0 ? this.sum / this.count : 0, p50, p95 };
  }
}

/** The same with all that a chart shows. */
export class DetailedAsymmetryAccumulator {
  private readonly signed: AsymmetryAccumulator;
  private readonly magnitudes: QuantileAccumulator;
  private readonly histogram = new Array<number>(BINS).fill(0);
  private second = false;

  constructor(groups: number, maxKept?: number) {
    this.signed = new AsymmetryAccumulator(groups, maxKept);
    this.magnitudes = new QuantileAccumulator(groups, MEDIAN_AND_95, maxKept);
  }

  /** @param positive largest positive weight of each group, 0 where none; `negative` likewise */
  addExtremes(positive: Float32Array, negative: Float32Array): void {
    this.signed.addExtremes(positive, negative);
    const magnitudes = new Float32Array(positive.length);
    let found = 0;
    for (let group = 0; group < positive.length; group++) {
      const asymmetry = asymmetryOf(positive[group], negative[group]);
      if (asymmetry === undefined) continue;
      magnitudes[found++] = Math.abs(asymmetry);
      if (this.second) continue;
      const bin = Math.floor(((asymmetry + 1) / 2) * BINS);
      this.histogram[Math.min(bin, BINS - 1)]++;
    }
    this.magnitudes.add(magnitudes.subarray(0, found));
  }

  /** Call when all groups were added. @returns true where they have to be added once more */
  beginSecondPass(): boolean {
    this.second = true;
    const [signed, magnitudes] = [this.signed, this.magnitudes].map((each) =>
      each.beginSecondPass(),
    );
    return signed || magnitudes;
  }

  summarize(): AsymmetrySummary {
    const [p50, p95] = this.magnitudes.quantiles();
    return { ...this.signed.summarize(), absolute: { p50, p95 }, histogram: this.histogram };
  }
}
