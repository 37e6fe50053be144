import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { ANYWHERE, planChunks } from '../../compute/chunks.js';
import type { ChunkApi } from '../../compute/tasks.js';
import type { ResultOf, TaskOf, WorkerPool } from '../../compute/workerPool.js';
import { codeValue } from '../../kernels/reference/decode.js';
import { NO_MOMENTS } from '../../kernels/statistics/moments.js';
import { valueAtOrder } from '../../kernels/statistics/valueOrder.js';
import { mergeMoments } from '../../metrics/moments.js';
import {
  CodeCounts,
  describe,
  histogramEdges,
  QUANTILE_PROBABILITIES,
  quantileRank,
} from '../../metrics/valueCounts.js';
import type { TensorDetails } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { bitsPerElement } from '../../storage/elementTypes.js';
import { findTensor, requireNumbers } from '../findTensor.js';

/** Weights per task: reading dominates, so chunks are larger than for quantizing. */
const STATISTICS_ELEMENTS = 1 << 20;

/** Statistics and histogram of one tensor, every element counted. */
export async function tensorDetails(
  pool: WorkerPool,
  model: OpenedModel,
  request: { readonly tensor: string; readonly bins: number },
  options: CallOptions = {},
): Promise<TensorDetails> {
  return tensorStatistics(pool, findTensor(model, request.tensor), request.bins, options);
}

/**
 * Statistics and histogram of every element of a tensor. Element types of at most 16 bits are
 * counted code by code in one pass; wider ones take a second pass for exact quantiles.
 * @throws when the element type has no plain numbers
 */
export async function tensorStatistics(
  pool: WorkerPool,
  tensor: ModelTensor,
  bins: number,
  options: CallOptions = {},
): Promise<TensorDetails> {
  requireNumbers(tensor);
  if (tensor.elements === 0) {
    throw new Error(`${tensor.file}: "${tensor.name}" has no elements`);
  }
  return codeValue(tensor.dtype)
    ? countedStatistics(pool, tensor, bins, options)
    : wideStatistics(pool, tensor, bins, options);
}

/** Runs a chunk method over a tensor in order; passes the first element's index with each result. */
async function overChunks<Name extends 'countCodes' | 'wideStatistics' | 'refineStatistics'>(
  pool: WorkerPool,
  tensor: ModelTensor,
  method: Name,
  extra: Omit<TaskOf<ChunkApi, Name>, 'chunk'>,
  onResult: (result: ResultOf<ChunkApi, Name>, firstElement: number) => void,
  { signal, onProgress }: CallOptions,
  share: { readonly from: number; readonly to: number },
): Promise<void> {
  const sizes: number[] = [];
  function* tasks(): Generator<TaskOf<ChunkApi, Name>> {
    for (const chunk of planChunks(tensor, {
      boundary: ANYWHERE,
      asStored: true,
      chunkElements: STATISTICS_ELEMENTS,
    })) {
      sizes.push(chunk.rows * chunk.columns);
      yield { ...extra, chunk } as TaskOf<ChunkApi, Name>;
    }
  }
  let done = 0;
  await pool.tasks<ChunkApi>().run(
    method,
    tasks(),
    (result, index) => {
      onResult(result, done);
      done += sizes[index];
      onProgress?.({
        done: share.from + (share.to - share.from) * (done / tensor.elements),
        total: 1,
        message: tensor.name,
      });
    },
    signal,
  );
}

async function countedStatistics(
  pool: WorkerPool,
  tensor: ModelTensor,
  bins: number,
  options: CallOptions,
): Promise<TensorDetails> {
  const counts = new CodeCounts(bitsPerElement(tensor.dtype) === 16 ? 65536 : 256);
  let firstNonFinite = -1;
  await overChunks(
    pool,
    tensor,
    'countCodes',
    {},
    (result, first) => {
      counts.add(result.counts);
      if (firstNonFinite < 0 && result.firstNonFinite >= 0) {
        firstNonFinite = first + result.firstNonFinite;
      }
    },
    options,
    { from: 0, to: 1 },
  );
  const valueOf = codeValue(tensor.dtype)!;
  const { statistics, histogram } = counts.summarize(valueOf, bins);
  return { statistics: withFirst(statistics, firstNonFinite), histogram };
}

async function wideStatistics(
  pool: WorkerPool,
  tensor: ModelTensor,
  bins: number,
  options: CallOptions,
): Promise<TensorDetails> {
  let moments = NO_MOMENTS;
  let min = Infinity;
  let max = -Infinity;
  let zeros = 0;
  let nan = 0;
  let inf = 0;
  let firstNonFinite = -1;
  const upperCounts = new Float64Array(65536);
  await overChunks(
    pool,
    tensor,
    'wideStatistics',
    {},
    (result, first) => {
      moments = mergeMoments(moments, result.moments);
      min = Math.min(min, result.min);
      max = Math.max(max, result.max);
      zeros += result.zeros;
      nan += result.nan;
      inf += result.inf;
      if (firstNonFinite < 0 && result.firstNonFinite >= 0) {
        firstNonFinite = first + result.firstNonFinite;
      }
      result.upperCounts.forEach((count, upper) => (upperCounts[upper] += count));
    },
    options,
    { from: 0, to: 0.5 },
  );

  const places = quantilePlaces(upperCounts, moments.count);
  const uppers = [...new Set(places.map(({ upper }) => upper))];
  const edges = histogramEdges(moments.count > 0 ? min : 0, moments.count > 0 ? max : 0, bins);
  const histogram = new Float64Array(edges.bins);
  const lowerCounts = uppers.map(() => new Float64Array(65536));
  await overChunks(
    pool,
    tensor,
    'refineStatistics',
    { edges, uppers },
    (result) => {
      result.histogram.forEach((count, bin) => (histogram[bin] += count));
      result.lowerCounts.forEach((counts, index) =>
        counts.forEach((count, lower) => (lowerCounts[index][lower] += count)),
      );
    },
    options,
    { from: 0.5, to: 1 },
  );

  const quantiles = Object.fromEntries(
    places.map(({ probability, upper, rank }) => {
      const lower = indexOfRank(lowerCounts[uppers.indexOf(upper)], rank);
      return [String(probability), valueAtOrder(upper * 65536 + lower)];
    }),
  );
  const statistics = {
    ...describe(moments, {
      count: tensor.elements,
      min: moments.count > 0 ? min : NaN,
      max: moments.count > 0 ? max : NaN,
      zeros,
      nan,
      inf,
    }),
    quantiles,
    ...(tensor.dtype === 'F32'
      ? {}
      : { approximation: `${tensor.dtype} values are rounded to F32 first` }),
  };
  return {
    statistics: withFirst(statistics, firstNonFinite),
    histogram: { start: edges.start, binWidth: edges.binWidth, counts: [...histogram] },
  };
}

/** Upper half that each quantile lies in, and its rank among the values of that half. */
function quantilePlaces(upperCounts: Float64Array, finite: number) {
  if (finite === 0) return [];
  return QUANTILE_PROBABILITIES.map((probability) => {
    let rank = quantileRank(probability, finite);
    const upper = upperCounts.findIndex((count) => {
      if (rank < count) return true;
      rank -= count;
      return false;
    });
    return { probability, upper, rank };
  });
}

function indexOfRank(counts: Float64Array, rank: number): number {
  let left = rank;
  return counts.findIndex((count) => {
    if (left < count) return true;
    left -= count;
    return false;
  });
}

function withFirst<Statistics extends object>(statistics: Statistics, firstNonFinite: number) {
  return firstNonFinite < 0 ? statistics : { ...statistics, firstNonFinite };
}
