import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { getMatrixShape } from '../../checkpoint/matrixShape.js';
import { planChunks, WHOLE_ROWS } from '../../compute/chunks.js';
import type { ChunkApi } from '../../compute/tasks.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { summarizeGroupRanges, type GroupExtremes } from '../../metrics/groupRanges.js';
import type { GroupRanges } from '../../metrics/types.js';
import type { GroupRangesRequest } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { findTensor, requireNumbers } from '../findTensor.js';

/**
 * How many groups a tensor has along its inputs.
 * @param groupSize columns per group, 0 for whole rows
 */
export function planGroups(tensor: ModelTensor, groupSize: number) {
  const { rows, columns } = getMatrixShape(tensor);
  const size = groupSize > 0 ? Math.min(Math.floor(groupSize), columns) : columns;
  return { rows, size, groupsPerRow: columns === 0 ? 0 : Math.ceil(columns / size) };
}

/**
 * Largest positive weight and magnitude of the most negative one of each group, along the inputs.
 * @param groupSize columns per group, 0 for whole rows
 */
export async function findGroupExtremes(
  pool: WorkerPool,
  tensor: ModelTensor,
  groupSize: number,
  { signal, onProgress }: CallOptions = {},
): Promise<GroupExtremes & { readonly groupSize: number; readonly groupsPerRow: number }> {
  requireNumbers(tensor);
  const { rows, size, groupsPerRow } = planGroups(tensor, groupSize);
  const positive = new Float32Array(rows * groupsPerRow);
  const negative = new Float32Array(rows * groupsPerRow);
  const boundary = groupSize > 0 ? { columns: size, blocks: 1 } : WHOLE_ROWS;
  function* tasks() {
    for (const chunk of planChunks(tensor, { boundary })) {
      yield { chunk, groupSize: size };
    }
  }
  let done = 0;
  await pool.tasks<ChunkApi>().run(
    'groupExtremes',
    tasks(),
    (result) => {
      positive.set(result.positive, done);
      negative.set(result.negative, done);
      done += result.positive.length;
      onProgress?.({ done, total: positive.length, message: tensor.name });
    },
    signal,
  );
  return { positive, negative, groupSize: size, groupsPerRow };
}

/** Group ranges summarized for a chart. */
export async function readGroupRanges(
  pool: WorkerPool,
  model: OpenedModel,
  request: GroupRangesRequest,
  options: CallOptions = {},
): Promise<GroupRanges> {
  const tensor = findTensor(model, request.tensor);
  const { positive, negative, groupSize, groupsPerRow } = await findGroupExtremes(
    pool,
    tensor,
    request.groupSize,
    options,
  );
  const shown =
    request.firstGroup === undefined
      ? undefined
      : {
          firstGroup: request.firstGroup,
          shownGroups: request.shownGroups ?? positive.length,
        };
  return summarizeGroupRanges(
    { positive, negative },
    { groupSize, groupsPerRow },
    request.maxColumns,
    shown,
  );
}
