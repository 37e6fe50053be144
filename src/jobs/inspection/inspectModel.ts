import type { OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { hasPlainNumbers } from '../../storage/elementTypes.js';
import { mapConcurrently } from '../mapConcurrently.js';
import { SelectionError, makeTensorMatcher } from '../selection.js';
import { describeTensor, listProblems } from './describeModel.js';
import { computeTensorStatistics } from './tensorStatistics.js';

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
  // Several at a time, so that workers do not wait while the host sums up; few, for the sake of memory.
  const list = await mapConcurrently(
    tensors,
    2 + (pool?.threads ?? 0),
    async (tensor, signal) => {
      const { exactShape, shape, ...described } = describeTensor(tensor);
      const { name, dtype } = tensor;
      const withStats = request.stats && pool && hasPlainNumbers(dtype) && tensor.elements > 0;
      let reported = 0;
      const report = (elements: number) => {
        done += elements - reported;
        reported = elements;
        options.onProgress?.({ done, total, message: name });
      };
      const stats = withStats
        ? await computeTensorStatistics(pool, tensor, request.groupSize, {
            signal,
            onProgress: (part) => report((tensor.elements * part.done) / part.total),
          })
        : undefined;
      done += tensor.elements - reported;
      return { ...described, shape: exactShape ?? shape, ...(stats && { stats }) };
    },
    options.signal,
  );
  return {
    files: model.files.map(({ source: _, ...file }) => file),
    metadata: model.metadata,
    problems: listProblems(model),
    tensors: list,
  };
}
