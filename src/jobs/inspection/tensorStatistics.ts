import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { WHOLE_ROWS } from '../../compute/chunks.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { orderCodes, type CodeOrder } from '../../kernels/statistics/codeOrder.js';
import type { SparseCounts } from '../../kernels/statistics/sparseCounts.js';
import { summarizeAsymmetries, summarizeAsymmetry } from '../../metrics/groupRanges.js';
import type { AsymmetrySummary, Histogram, TensorStatistics } from '../../metrics/types.js';
import { countHistogram, summarizeCodes } from '../../metrics/valueCounts.js';
import type { TensorDetails } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { findTensor, requireNumbers } from '../findTensor.js';
import { GatheredAsymmetries } from './gatheredAsymmetries.js';
import { findGroupExtremes, planGroups } from './groupRanges.js';
import { isSmall, readSmallStatistics } from './smallStatistics.js';
import { runOverSpans, type CountRequest, type SpanOptions } from './statisticsSpans.js';
import { readWideStatistics } from './wideStatistics.js';

/** Statistics and histogram of one tensor, every element counted. */
export async function readTensorDetails(
  pool: WorkerPool,
  model: OpenedModel,
  request: { readonly tensor: string; readonly bins: number },
  options: SpanOptions = {},
): Promise<TensorDetails> {
  const tensor = findTensor(model, request.tensor);
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
  if (tensor.transposed) {
    // Groups run across the order in which such weights are stored: another pass.
    const { statistics } = await countTensor(pool, tensor, {}, options);
    const extremes = await findGroupExtremes(pool, tensor, groupSize, { signal: options.signal });
    const { mean, p50, p95 } = summarizeAsymmetry(extremes);
    const asymmetry = { mean, p50, p95 };
    return { ...statistics, groups: { count: rows * groupsPerRow, size, asymmetry } };
  }
  const boundary = groupSize > 0 ? { columns: size, blocks: 1 } : WHOLE_ROWS;
  const count = rows * groupsPerRow;
  const asymmetries = new GatheredAsymmetries(pool, size, count);
  const { statistics } = await countTensor(
    pool,
    tensor,
    { asymmetries },
    {
      ...options,
      boundary,
    },
  );
  const asymmetry = summarizeAsymmetries(asymmetries.all());
  return { ...statistics, groups: { count, size, asymmetry } };
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
    const asymmetry = summarizeAsymmetries(asymmetries!);
    return { ...statistics, groups: { count: rows * groupsPerRow, size, asymmetry } };
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
        asymmetries?.add(result.asymmetries);
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
