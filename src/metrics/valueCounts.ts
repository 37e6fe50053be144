import type { Histogram, TensorStatistics } from './types.js';
import { binOf, type HistogramEdges } from '../kernels/statistics/bins.js';
import type { Moments } from '../kernels/statistics/moments.js';
import { momentsOf, shapeOf } from './moments.js';

/** Probabilities of the quantiles in {@link TensorStatistics}. */
export const QUANTILE_PROBABILITIES = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999];

/** Rank (0-based, ascending) of the element that stands for a quantile: nearest-rank definition. */
export function quantileRank(probability: number, count: number): number {
  return Math.min(Math.max(Math.ceil(probability * count) - 1, 0), count - 1);
}

/** Edges of a histogram of `bins` bins over [min, max]; zero is an edge where the range spans it. */
export function histogramEdges(min: number, max: number, bins: number): HistogramEdges {
  if (!(max > min)) {
    const binWidth = Math.max(Math.abs(min) / 8, 2 ** -20);
    return { start: min - binWidth / 2, binWidth, bins: 1 };
  }
  let binWidth = (max - min) / bins;
  if (min < 0 && max > 0) {
    const below = Math.max(1, Math.round(-min / binWidth));
    const above = Math.max(1, Math.round(max / binWidth));
    binWidth = Math.max(-min / below, max / above);
    return { start: -below * binWidth, binWidth, bins: below + above };
  }
  return { start: min, binWidth, bins };
}

/** How often each code of a tensor with an element type of at most 16 bits occurs. */
export class CodeCounts {
  readonly counts: Float64Array;

  constructor(codes: number) {
    this.counts = new Float64Array(codes);
  }

  add(counts: ArrayLike<number>): void {
    for (let i = 0; i < this.counts.length; i++) this.counts[i] += counts[i];
  }

  /**
   * Exact statistics and histogram.
   * @param valueOf what a code decodes to
   */
  summarize(valueOf: (code: number) => number, bins: number) {
    let total = 0;
    let nan = 0;
    let inf = 0;
    let distinct = 0;
    const pairs: [value: number, count: number][] = [];
    this.counts.forEach((count, code) => {
      if (count === 0) return;
      const value = valueOf(code);
      total += count;
      distinct++;
      if (Number.isNaN(value)) nan += count;
      else if (!Number.isFinite(value)) inf += count;
      else pairs.push([value, count]);
    });
    pairs.sort((a, b) => a[0] - b[0]);
    const finite = total - nan - inf;
    const quantiles = quantilesOf(pairs, finite);
    const edges = histogramEdges(pairs[0]?.[0] ?? 0, pairs[pairs.length - 1]?.[0] ?? 0, bins);
    const counts = new Array<number>(edges.bins).fill(0);
    for (const [value, count] of pairs) counts[binOf(value, edges)] += count;
    const statistics = describe(momentsOf(pairs), {
      count: total,
      min: pairs[0]?.[0] ?? NaN,
      max: pairs[pairs.length - 1]?.[0] ?? NaN,
      zeros: pairs.reduce((sum, [value, count]) => sum + (value === 0 ? count : 0), 0),
      nan,
      inf,
    });
    const histogram: Histogram = { start: edges.start, binWidth: edges.binWidth, counts };
    return { statistics: { ...statistics, distinct, quantiles }, histogram };
  }
}

function quantilesOf(pairs: readonly (readonly [number, number])[], finite: number) {
  const quantiles: Record<string, number> = {};
  let seen = 0;
  let at = 0;
  for (const probability of QUANTILE_PROBABILITIES) {
    if (finite === 0) break;
    const rank = quantileRank(probability, finite);
    while (at < pairs.length && seen + pairs[at][1] <= rank) seen += pairs[at++][1];
    quantiles[String(probability)] = pairs[at][0];
  }
  return quantiles;
}

/** Puts moments and extremes together; quantiles and the rest are the caller's. */
export function describe(
  moments: Moments,
  known: Pick<TensorStatistics, 'count' | 'min' | 'max' | 'zeros' | 'nan' | 'inf'>,
): Omit<TensorStatistics, 'quantiles'> {
  return {
    ...known,
    mean: moments.mean,
    ...shapeOf(moments),
    absMax: Math.max(Math.abs(known.min), Math.abs(known.max)),
  };
}
