import type { ModelTensor } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { mergeWeightMoments, type WeightMoments } from '../../kernels/statistics/moments.js';
import { ANY_NARROWER_TYPE, nameNarrowerType } from '../../kernels/statistics/narrowerType.js';
import {
  mergeCounts,
  type OrderedCounts,
  type SparseCounts,
} from '../../kernels/statistics/sparseCounts.js';
import { valueOfBits } from '../../kernels/statistics/valueOrder.js';
import type { Histogram, TensorStatistics } from '../../metrics/types.js';
import {
  describe,
  chooseHistogramEdges,
  QUANTILE_PROBABILITIES,
  quantileRank,
} from '../../metrics/valueCounts.js';
import {
  addAsymmetries,
  runOverSpans,
  type CountRequest,
  type SpanOptions,
} from './statisticsSpans.js';

/** Place of the upper half of an f32's bits among all, in the order of the values. */
const PLACE_OF_UPPER = Uint16Array.from({ length: 65536 }, (_, upper) =>
  upper & 0x8000 ? ~upper : upper | 0x8000,
);

/** A quantile's place: the upper half of its bits, and its rank among the values with that half. */
interface QuantilePlace {
  readonly probability: number;
  readonly upper: number;
  readonly rank: number;
}

/**
 * Statistics of an element type of more than 16 bits, in two passes: the first counts the upper halves of
 * the weights' bits, the second the lower halves of those that quantiles fall among.
 */
export async function readWideStatistics(
  pool: WorkerPool,
  tensor: ModelTensor,
  { bins, asymmetries }: CountRequest,
  options: SpanOptions,
): Promise<{
  readonly statistics: TensorStatistics;
  readonly histogram?: Histogram;
}> {
  const { onProgress } = options;
  const half = (offset: number): SpanOptions => ({
    ...options,
    onProgress:
      onProgress &&
      (({ done, total, message }) => onProgress({ done: offset + done / 2, total, message })),
  });
  let found: WeightMoments | undefined;
  let narrower = ANY_NARROWER_TYPE;
  const parts: SparseCounts[] = [];
  await runOverSpans(
    pool,
    tensor,
    {
      method: 'wideStatistics',
      parameters: { groupSize: asymmetries?.groupSize },
      onResult: ({ uppers, asymmetries: list, narrower: types, ...moments }, first) => {
        narrower &= types;
        found = mergeWeightMoments(found, moments, first);
        parts.push(uppers);
        addAsymmetries(pool, asymmetries, list);
      },
    },
    half(0),
  );
  const { moments, min, max } = found!;
  const { count } = moments;
  const places = quantilePlaces(mergeCounts(parts, 65536, PLACE_OF_UPPER), count);
  const uppers = [...new Set(places.map(({ upper }) => upper))];
  const edges =
    bins === undefined
      ? undefined
      : chooseHistogramEdges(count > 0 ? min : 0, count > 0 ? max : 0, bins);
  const histogram = new Array<number>(edges?.bins ?? 0).fill(0);
  const lowers: SparseCounts[] = [];
  await runOverSpans(
    pool,
    tensor,
    {
      method: 'refineStatistics',
      parameters: { edges, uppers },
      onResult: (result) => {
        result.histogram.forEach((each, bin) => (histogram[bin] += each));
        lowers.push(result.lowers);
      },
    },
    { ...half(tensor.elements / 2), boundary: undefined },
  );
  const quantiles = quantilesOf(places, uppers, mergeCounts(lowers, uppers.length * 65536));
  return {
    statistics: describeWideTensor(tensor, found!, quantiles, narrower),
    histogram: edges && { start: edges.start, binWidth: edges.binWidth, counts: histogram },
  };
}

/**
 * Statistics of an element type of more than 16 bits from what one pass found and from its quantiles.
 * @param narrower see `findNarrowerTypes`
 */
export function describeWideTensor(
  tensor: ModelTensor,
  { moments, firstNonFinite, min, max, ...counted }: WeightMoments,
  quantiles: Readonly<Record<string, number>>,
  narrower: number,
): TensorStatistics {
  const { count } = moments;
  // What is decoded from parts is stored narrower anyway, and zeros are values of every type.
  const isWider = !tensor.storage && counted.zeros < tensor.elements;
  const holds = isWider ? nameNarrowerType(narrower) : undefined;
  return {
    ...describe(moments, {
      ...counted,
      count: tensor.elements,
      min: count > 0 ? min : NaN,
      max: count > 0 ? max : NaN,
    }),
    quantiles,
    ...(holds && { holds }),
    ...(tensor.dtype === 'F32'
      ? {}
      : { approximation: `${tensor.dtype} values are rounded to F32 first` }),
    ...(firstNonFinite < 0 ? {} : { firstNonFinite }),
  };
}

/** Where each quantile lies. NaN and ±Inf lie outside of all finite values, and are passed over. */
function quantilePlaces({ places, counts }: OrderedCounts, finite: number): QuantilePlace[] {
  if (finite === 0) return [];
  return QUANTILE_PROBABILITIES.map((probability) => {
    let rank = quantileRank(probability, finite);
    for (let i = 0; i < places.length; i++) {
      const upper = places[i] & 0x8000 ? places[i] & 0x7fff : ~places[i] & 0xffff;
      if ((upper & 0x7f80) === 0x7f80) continue;
      if (rank < counts[i]) return { probability, upper, rank };
      rank -= counts[i];
    }
    throw new Error('A quantile lies outside of what was counted: the file changed meanwhile');
  });
}

function quantilesOf(
  places: readonly QuantilePlace[],
  uppers: readonly number[],
  lowers: OrderedCounts,
): Record<string, number> {
  const quantiles: Record<string, number> = {};
  for (const { probability, upper, rank } of places) {
    const first = uppers.indexOf(upper) * 65536;
    const negative = (upper & 0x8000) !== 0;
    const step = negative ? -1 : 1;
    const begin = negative ? lowers.places.length - 1 : 0;
    let left = rank;
    // For negative values lower halves run the other way.
    for (let i = begin; i >= 0 && i < lowers.places.length; i += step) {
      const lower = lowers.places[i] - first;
      if (lower < 0 || lower > 0xffff) continue;
      if (left < lowers.counts[i]) {
        quantiles[String(probability)] = valueOfBits(upper * 65536 + lower);
        break;
      }
      left -= lowers.counts[i];
    }
  }
  return quantiles;
}
