import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { summarizeAsymmetry } from '../../metrics/groupRanges.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { hasPlainNumbers } from '../../storage/elementTypes.js';
import { SelectionError, tensorMatcher } from '../selection.js';
import { groupExtremes } from './groupRanges.js';
import { tensorStatistics } from './tensorStatistics.js';

export interface InspectRequest {
  /** Globs over tensor names; all tensors where absent. */
  readonly tensors?: readonly string[];
  readonly stats: boolean;
  /** Columns per group for the asymmetry, 0 for whole rows. */
  readonly groupSize: number;
}

/** The document that `inspect --json` prints. Statistics need a pool. */
export async function inspectReport(
  pool: WorkerPool | undefined,
  model: OpenedModel,
  request: InspectRequest,
  options: CallOptions = {},
) {
  const matches = request.tensors?.length ? tensorMatcher(request.tensors) : () => true;
  const tensors = model.tensors.filter(({ name }) => matches(name));
  if (tensors.length === 0 && request.tensors?.length) {
    throw new SelectionError(`${model.path}: no tensor matches ${request.tensors.join(', ')}`);
  }
  const total = tensors.reduce((sum, { elements }) => sum + elements, 0);
  const list = [];
  let done = 0;
  for (const tensor of tensors) {
    const { name, file, dtype, exactShape, bytes, offset } = tensor;
    const shape = exactShape ?? tensor.shape;
    const withStats = request.stats && pool && hasPlainNumbers(dtype) && tensor.elements > 0;
    const stats = withStats
      ? await inspectTensor(pool, tensor, request.groupSize, {
          ...options,
          onProgress: (part) =>
            options.onProgress?.({
              done: done + (tensor.elements * part.done) / part.total,
              total,
              message: name,
            }),
        })
      : undefined;
    done += tensor.elements;
    list.push({ name, file, dtype, shape, bytes, offset, ...(stats ? { stats } : {}) });
  }
  return {
    files: model.files.map(({ source: _, ...file }) => file),
    metadata: model.metadata,
    problems: model.problems,
    tensors: list,
  };
}

async function inspectTensor(
  pool: WorkerPool,
  tensor: ModelTensor,
  groupSize: number,
  options: CallOptions,
) {
  const { statistics } = await tensorStatistics(pool, tensor, 1, options);
  const extremes = await groupExtremes(pool, tensor, groupSize, {
    signal: options.signal,
  });
  const { mean, p50, p95 } = summarizeAsymmetry(extremes);
  return {
    ...statistics,
    groups: {
      count: extremes.positive.length,
      size: extremes.groupSize,
      asymmetry: { mean, p50, p95 },
    },
  };
}
