import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { WHOLE_ROWS } from '../../compute/chunks.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { orderCodes, type CodeOrder } from '../../kernels/statistics/codeOrder.js';
import type { SparseCounts } from '../../kernels/statistics/sparseCounts.js';
import { AsymmetryAccumulator } from '../../metrics/asymmetries.js';
import type { AsymmetrySummary, Histogram, TensorStatistics } from '../../metrics/types.js';
import { countHistogram, summarizeCodes } from '../../metrics/valueCounts.js';
import type { TensorDetails } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { findTensor, requireNumbers } from '../findTensor.js';
import { findGroupExtremes, planGroups } from './groupRanges.js';
import { isSmall, readSmallStatistics } from './smallStatistics.js';
import {
  addAsymmetries,
  runOverSpans,
  type AsymmetryRequest,
  type CountRequest,
  type SpanOptions,
} from './statisticsSpans.js';
import { readWideStatistics } from './wideStatistics.js';

/** As many as a worker has room for. */
const MAX_BINS = 65535;

/** Statistics and histogram of one tensor, every element counted. */
export async function readTensorDetails(
  pool: WorkerPool,
  model: OpenedModel,
  request: { readonly tensor: string; readonly bins: number },
  options: SpanOptions = {},
): Promise<TensorDetails> {
  const tensor = findTensor(model, request.tensor);
  if (!(request.bins >= 1 && request.bins <= MAX_BINS)) {
    throw new RangeError(`A histogram has 1 to ${MAX_BINS} bins, not ${request.bins}`);
  }
  const { statistics, histogram } = await countTensor(
    pool,
    tensor,
    { bins: request.bins },
    options,
  );
  return { statistics, histogram: histogram! };
}

/** Groups of a tensor along its inputs, and how lopsided they are. */
export interface GroupStatistics {
  readonly count: number;
  /** Columns. */
  readonly size: number;
  readonly asymmetry: Pick<AsymmetrySummary, 'mean' | 'p50' | 'p95'>;
}

/**
 * Statistics of a tensor and the asymmetry of its groups, every element counted.
 * @param groupSize columns per group, 0 for whole rows
 */
export async function computeTensorStatistics(
  pool: WorkerPool,
  tensor: ModelTensor,
  groupSize: number,
  options: SpanOptions = {},
): Promise<TensorStatistics & { readonly groups: GroupStatistics }> {
  requireNumbers(tensor);
  if (isSmall(tensor)) {
    return (await computeSmallStatistics(pool, [tensor], groupSize, options))[0];
  }
  const { rows, groupsPerRow, size } = planGroups(tensor, groupSize);
  const count = rows * groupsPerRow;
  const into = new AsymmetryAccumulator(count);
  const statistics = tensor.transposed
    ? await countTransposed(pool, tensor, groupSize, into, options)
    : await countWithGroups(
        pool,
        tensor,
        { groupSize: size, into },
        { ...options, boundary: groupSize > 0 ? { columns: size, blocks: 1 } : WHOLE_ROWS },
      );
  return { ...statistics, groups: { count, size, asymmetry: into.summarize() } };
}

async function countWithGroups(
  pool: WorkerPool,
  tensor: ModelTensor,
  asymmetries: AsymmetryRequest,
  options: SpanOptions,
): Promise<TensorStatistics> {
  const { statistics } = await countTensor(pool, tensor, { asymmetries }, options);
  while (asymmetries.into.beginSecondPass()) {
    await runOverSpans(
      pool,
      tensor,
      {
        method: orderCodes(tensor.dtype) ? 'countCodes' : 'wideStatistics',
        parameters: { groupSize: asymmetries.groupSize },
        onResult: (result) => addAsymmetries(pool, asymmetries, result.asymmetries),
      },
      { ...options, onProgress: undefined },
    );
  }
  return statistics;
}

/** Groups run across the order in which such weights are stored: another pass. */
async function countTransposed(
  pool: WorkerPool,
  tensor: ModelTensor,
  groupSize: number,
  into: AsymmetryAccumulator,
  options: SpanOptions,
): Promise<TensorStatistics> {
  const { statistics } = await countTensor(pool, tensor, {}, options);
  const sink = {
    add: (positive: Float32Array, negative: Float32Array) => into.addExtremes(positive, negative),
    beginSecondPass: () => into.beginSecondPass(),
  };
  await findGroupExtremes(pool, tensor, groupSize, sink, { signal: options.signal });
  return statistics;
}

/**
 * The same of several small tensors in one task.
 * @param tensors at most `MAX_SMALL_TENSORS`, see `isSmall`
 */
export async function computeSmallStatistics(
  pool: WorkerPool,
  tensors: readonly ModelTensor[],
  groupSize: number,
  { signal }: CallOptions = {},
): Promise<(TensorStatistics & { readonly groups: GroupStatistics })[]> {
  const sizeOf = (tensor: ModelTensor) => planGroups(tensor, groupSize).size;
  const found = await readSmallStatistics(pool, tensors, sizeOf, signal);
  return found.map(({ statistics, asymmetries }, index) => {
    const { rows, groupsPerRow, size } = planGroups(tensors[index], groupSize);
    const count = rows * groupsPerRow;
    const groups = new AsymmetryAccumulator(count);
    groups.add(asymmetries!.values, asymmetries!.sum);
    return { ...statistics, groups: { count, size, asymmetry: groups.summarize() } };
  });
}

interface CountedTensor {
  readonly statistics: TensorStatistics;
  readonly histogram?: Histogram;
}

/**
 * Element types of at most 16 bits are counted code by code in one pass; wider ones take a second pass for
 * exact quantiles.
 */
async function countTensor(
  pool: WorkerPool,
  tensor: ModelTensor,
  counted: CountRequest,
  options: SpanOptions,
): Promise<CountedTensor> {
  requireNumbers(tensor);
  if (tensor.elements === 0) {
    throw new Error(`${tensor.file}: "${tensor.name}" has no elements`);
  }
  if (isSmall(tensor)) {
    const [{ statistics, values }] = await readSmallStatistics(
      pool,
      [tensor],
      undefined,
      options.signal,
    );
    const { bins } = counted;
    return { statistics, histogram: bins === undefined ? undefined : countHistogram(values, bins) };
  }
  const order = orderCodes(tensor.dtype);
  return order
    ? readCodeStatistics(pool, tensor, order, counted, options)
    : readWideStatistics(pool, tensor, counted, options);
}

async function readCodeStatistics(
  pool: WorkerPool,
  tensor: ModelTensor,
  order: CodeOrder,
  { bins, asymmetries }: CountRequest,
  options: SpanOptions,
): Promise<CountedTensor> {
  const parts: SparseCounts[] = [];
  let firstNonFinite = -1;
  await runOverSpans(
    pool,
    tensor,
    {
      method: 'countCodes',
      parameters: { groupSize: asymmetries?.groupSize },
      onResult: (result, first) => {
        parts.push(result.codes);
        addAsymmetries(pool, asymmetries, result.asymmetries);
        if (firstNonFinite < 0 && result.firstNonFinite >= 0) {
          firstNonFinite = first + result.firstNonFinite;
        }
      },
    },
    options,
  );
  const { statistics, values } = summarizeCodes(order, parts);
  return {
    statistics: firstNonFinite < 0 ? statistics : { ...statistics, firstNonFinite },
    histogram: bins === undefined ? undefined : countHistogram(values, bins),
  };
}
