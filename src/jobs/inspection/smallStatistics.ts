import type { ModelTensor } from '../../checkpoint/types.js';
import { planChunks } from '../../compute/chunks.js';
import {
  MAX_SMALL_ELEMENTS,
  type SmallCounts,
  type SmallTensor,
  type SmallTensorApi,
} from '../../compute/smallTensors.js';
import { SPAN_SCRATCH_BYTES } from '../../compute/spans.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { GroupAsymmetries } from '../../kernels/statistics/asymmetry.js';
import { findNarrowerTypes } from '../../kernels/statistics/narrowerType.js';
import { orderCodes } from '../../kernels/statistics/codeOrder.js';
import { bitsOfOrdered, valueOfOrderedBits } from '../../kernels/statistics/valueOrder.js';
import type { TensorStatistics } from '../../metrics/types.js';
import { findQuantiles, summarizeCodes, type WeightedValues } from '../../metrics/valueCounts.js';
import { describeWideTensor } from './wideStatistics.js';

/** A tensor that was counted whole. */
export interface SmallStatistics {
  readonly statistics: TensorStatistics;
  /** Its finite values. */
  readonly values: WeightedValues;
  /** Where groups were asked for. */
  readonly asymmetries?: GroupAsymmetries;
}

/** True for tensors that are counted many at a time; they have elements, and are one chunk. */
export function isSmall({ elements, transposed, shape }: ModelTensor): boolean {
  return elements > 0 && elements <= MAX_SMALL_ELEMENTS && !(transposed && shape.length > 2);
}

/**
 * Statistics of small tensors in one task.
 * @param tensors at most `MAX_SMALL_TENSORS`, of plain numbers, see {@link isSmall}
 * @param groupSizeOf columns per group of a tensor, for asymmetries
 */
export async function readSmallStatistics(
  pool: WorkerPool,
  tensors: readonly ModelTensor[],
  groupSizeOf?: (tensor: ModelTensor) => number,
  signal?: AbortSignal,
): Promise<SmallStatistics[]> {
  const listed = tensors.map((tensor): SmallTensor => {
    const [chunk] = planChunks(tensor);
    return { chunk, groupSize: groupSizeOf?.(tensor) };
  });
  let found: SmallStatistics[] = [];
  await pool.tasks<SmallTensorApi>().run(
    'countSmallTensors',
    [{ tensors: listed, scratchBytes: SPAN_SCRATCH_BYTES }],
    (results) => {
      found = results.map((counted, index) => summarize(tensors[index], counted));
    },
    signal,
  );
  return found;
}

function summarize(
  tensor: ModelTensor,
  { counts, moments, firstNonFinite, asymmetries }: SmallCounts,
): SmallStatistics {
  const order = orderCodes(tensor.dtype);
  if (order) {
    const { statistics, values } = summarizeCodes(order, [counts]);
    const place = firstNonFinite < 0 ? {} : { firstNonFinite };
    return { statistics: { ...statistics, ...place }, values, asymmetries };
  }
  const values = finiteValues(counts.keys, counts.counts);
  const quantiles = findQuantiles(values, moments!.moments.count);
  const narrower = tensor.dtype === 'F32' ? findNarrowerTypes(counts.keys.map(bitsOfOrdered)) : 0;
  const statistics = describeWideTensor(tensor, moments!, quantiles, narrower);
  return { statistics, values, asymmetries };
}

/** @param keys bits of f32 values in the order of values, ascending */
function finiteValues(keys: Uint32Array, counts: Uint32Array): WeightedValues {
  const values = Float64Array.from(keys, valueOfOrderedBits);
  // What is not finite lies at both ends.
  const begin = values.findIndex(Number.isFinite);
  if (begin < 0) return { values: new Float64Array(0), counts: new Float64Array(0) };
  const end = values.findLastIndex(Number.isFinite) + 1;
  return { values: values.slice(begin, end), counts: Float64Array.from(counts.slice(begin, end)) };
}
