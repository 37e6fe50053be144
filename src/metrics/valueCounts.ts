import type { Histogram, TensorStatistics } from './types.js';
import { binOf, type HistogramEdges } from '../kernels/statistics/bins.js';
import type { CodeOrder } from '../kernels/statistics/codeOrder.js';
import type { Moments } from '../kernels/statistics/moments.js';
import { mergeCounts, type SparseCounts } from '../kernels/statistics/sparseCounts.js';
import { computeMoments, shapeOf } from './moments.js';

/** Probabilities of the quantiles in {@link TensorStatistics}. */
export const QUANTILE_PROBABILITIES = [0.001, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 0.999];

/** Rank (0-based, ascending) of the element that stands for a quantile: nearest-rank definition. */
export function quantileRank(probability: number, count: number): number {
  return Math.min(Math.max(Math.ceil(probability * count) - 1, 0), count - 1);
}

/** Edges of a histogram of `bins` bins over [min, max]; zero is an edge where the range spans it. */
export function chooseHistogramEdges(min: number, max: number, bins: number): HistogramEdges {
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

/**
 * Exact statistics of a tensor from how often each code occurs.
 * @param parts counts by code, of parts of the tensor
 */
export function summarizeCodes(
  order: CodeOrder,
  parts: readonly SparseCounts[],
): { readonly statistics: TensorStatistics; readonly values: WeightedValues } {
  const { places, counts } = mergeCounts(parts, order.codes, order.placeOf);
  let nan = 0;
  let inf = 0;
  let finiteCodes = 0;
  places.forEach((place, index) => {
    if (place < order.finite) finiteCodes++;
    else if (Number.isNaN(order.values[place])) nan += counts[index];
    else inf += counts[index];
  });
  const values: WeightedValues = {
    values: new Float64Array(finiteCodes),
    counts: finiteCodes === counts.length ? counts : counts.slice(0, finiteCodes),
  };
  for (let at = 0; at < finiteCodes; at++) values.values[at] = order.values[places[at]];
  const moments = computeMoments(values.values, values.counts);
  const statistics = describe(moments, {
    count: moments.count + nan + inf,
    min: values.values[0] ?? NaN,
    max: values.values[finiteCodes - 1] ?? NaN,
    zeros: values.values.reduce((sum, value, at) => sum + (value === 0 ? values.counts[at] : 0), 0),
    nan,
    inf,
  });
  const quantiles = findQuantiles(values, moments.count);
  return { statistics: { ...statistics, distinct: places.length, quantiles }, values };
}

/** Different finite values, ascending, and how often each occurs. */
export interface WeightedValues {
  readonly values: Float64Array;
  readonly counts: Float64Array;
}

/** Counts of values in `bins` bins over their range. */
export function countHistogram({ values, counts }: WeightedValues, bins: number): Histogram {
  const edges = chooseHistogramEdges(values[0] ?? 0, values[values.length - 1] ?? 0, bins);
  const histogram = new Array<number>(edges.bins).fill(0);
  values.forEach((value, at) => (histogram[binOf(value, edges)] += counts[at]));
  return { start: edges.start, binWidth: edges.binWidth, counts: histogram };
}

/**
 * Quantiles by probability; none where no value is finite.
 * @param finite how many there are, repeated ones counted
 */
export function findQuantiles(
  { values, counts }: WeightedValues,
  finite: number,
): Record<string, number> {
  const quantiles: Record<string, number> = {};
  let seen = 0;
  let at = 0;
  for (const probability of QUANTILE_PROBABILITIES) {
    if (finite === 0) break;
    const rank = quantileRank(probability, finite);
    while (at < values.length && seen + counts[at] <= rank) seen += counts[at++];
    quantiles[String(probability)] = values[at];
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
