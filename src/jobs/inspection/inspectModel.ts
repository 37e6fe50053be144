import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { MAX_SMALL_ELEMENTS, MAX_SMALL_TENSORS } from '../../compute/smallTensors.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { CallOptions, Progress } from '../../rpc/rpc.js';
import { hasPlainNumbers } from '../../storage/elementTypes.js';
import { mapConcurrently } from '../mapConcurrently.js';
import { SelectionError, makeTensorMatcher } from '../selection.js';
import { describeTensor, listProblems } from './describeModel.js';
import { isSmall } from './smallStatistics.js';
import { computeSmallStatistics, computeTensorStatistics } from './tensorStatistics.js';

export interface InspectRequest {
  /** Globs over tensor names; all tensors where absent. */
  readonly tensors?: readonly string[];
  readonly stats: boolean;
  /** Columns per group for the asymmetry, 0 for whole rows. */
  readonly groupSize: number;
}

/** The document that `inspect --json` prints. Statistics need a pool. */
export async function inspectModel(
  pool: WorkerPool | undefined,
  model: OpenedModel,
  request: InspectRequest,
  options: CallOptions = {},
) {
  const matches = request.tensors?.length ? makeTensorMatcher(request.tensors) : () => true;
  const tensors = model.tensors.filter(({ name }) => matches(name));
  if (tensors.length === 0 && request.tensors?.length) {
    throw new SelectionError(`${model.path}: no tensor matches ${request.tensors.join(', ')}`);
  }
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  let done = 0;
  const wantsStats = ({ dtype, elements }: ModelTensor) =>
    request.stats && hasPlainNumbers(dtype) && elements > 0;
  // Several at a time, so that workers do not wait while the host sums up; few, for the sake of memory.
  const lists = await mapConcurrently(
    batchSmallTensors(tensors),
    2 + (pool?.threads ?? 0),
    async (batch, signal) => {
      let reported = 0;
      const report = (elements: number) => {
        done += elements - reported;
        reported = elements;
        options.onProgress?.({ done, total, message: batch[0].name });
      };
      const counted = batch.filter(wantsStats);
      const elements = batch.reduce((sum, tensor) => sum + tensor.elements, 0);
      const onProgress = (part: Progress) => report((elements * part.done) / part.total);
      const statistics =
        pool && counted.length > 0
          ? await computeStatistics(pool, counted, request.groupSize, { signal, onProgress })
          : [];
      report(elements);
      const statisticsOf = new Map(counted.map((tensor, index) => [tensor, statistics[index]]));
      return batch.map((tensor) => {
        const { exactShape, shape, ...described } = describeTensor(tensor);
        const stats = statisticsOf.get(tensor);
        return { ...described, shape: exactShape ?? shape, ...(stats && { stats }) };
      });
    },
    options.signal,
  );
  return {
    files: model.files.map(({ source: _, ...file }) => file),
    metadata: model.metadata,
    problems: listProblems(model),
    tensors: lists.flat(),
  };
}

/** Tensors in order: small ones that follow each other together, others alone. */
function batchSmallTensors(tensors: readonly ModelTensor[]): ModelTensor[][] {
  const fits = ({ elements }: ModelTensor) => elements <= MAX_SMALL_ELEMENTS;
  const batches: ModelTensor[][] = [];
  for (const tensor of tensors) {
    const last = batches.at(-1);
    const joins = last && last.length < MAX_SMALL_TENSORS && fits(last[0]) && fits(tensor);
    if (joins) last.push(tensor);
    else batches.push([tensor]);
  }
  return batches;
}

/** @param tensors one, or small ones */
async function computeStatistics(
  pool: WorkerPool,
  tensors: readonly ModelTensor[],
  groupSize: number,
  options: CallOptions,
) {
  return tensors.every(isSmall)
    ? computeSmallStatistics(pool, tensors, groupSize, options)
    : [await computeTensorStatistics(pool, tensors[0], groupSize, options)];
}
