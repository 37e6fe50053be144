import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { getMatrixShape } from '../../checkpoint/matrixShape.js';
import { planChunks, WHOLE_ROWS } from '../../compute/chunks.js';
import type { ChunkApi } from '../../compute/tasks.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { GroupRangesAccumulator } from '../../metrics/groupRanges.js';
import type { GroupRanges } from '../../metrics/types.js';
import type { GroupRangesRequest } from '../../reports/editorPage.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { findTensor, requireNumbers } from '../findTensor.js';

/** Columns of a chart of group ranges; no screen shows more. */
const MAX_CHART_COLUMNS = 8192;

/**
 * How many groups a tensor has along its inputs.
 * @param groupSize columns per group, 0 for whole rows
 */
export function planGroups(tensor: ModelTensor, groupSize: number) {
  const { rows, columns } = getMatrixShape(tensor);
  const size = groupSize > 0 ? Math.min(Math.floor(groupSize), columns) : columns;
  return { rows, size, groupsPerRow: columns === 0 ? 0 : Math.ceil(columns / size) };
}

/** What takes the extremes of a tensor's groups, in order and in parts. */
interface ExtremesSink {
  add(positive: Float32Array, negative: Float32Array): void;
  /** After all groups. @returns true where they have to be added once more */
  beginSecondPass(): boolean;
}

/**
 * Largest positive weight and magnitude of the most negative one of each group, along the inputs. They are
 * found once, or twice where the sink asks for it.
 * @param groupSize columns per group, 0 for whole rows
 */
export async function findGroupExtremes(
  pool: WorkerPool,
  tensor: ModelTensor,
  groupSize: number,
  sink: ExtremesSink,
  { signal, onProgress }: CallOptions = {},
): Promise<void> {
  const { rows, size, groupsPerRow } = planGroups(tensor, groupSize);
  const boundary = groupSize > 0 ? { columns: size, blocks: 1 } : WHOLE_ROWS;
  function* tasks() {
    for (const chunk of planChunks(tensor, { boundary })) {
      yield { chunk, groupSize: size };
    }
  }
  do {
    let done = 0;
    await pool.tasks<ChunkApi>().run(
      'groupExtremes',
      tasks(),
      ({ positive, negative }) => {
        sink.add(positive, negative);
        done += positive.length;
        onProgress?.({ done, total: rows * groupsPerRow, message: tensor.name });
      },
      signal,
    );
  } while (sink.beginSecondPass());
}

/** Group ranges summarized for a chart. */
export async function readGroupRanges(
  pool: WorkerPool,
  model: OpenedModel,
  request: GroupRangesRequest,
  options: CallOptions = {},
): Promise<GroupRanges> {
  const tensor = findTensor(model, request.tensor);
  requireNumbers(tensor);
  const { rows, size, groupsPerRow } = planGroups(tensor, request.groupSize);
  const layout = { groupSize: size, groupsPerRow, groupCount: rows * groupsPerRow };
  const { firstGroup, shownGroups = layout.groupCount } = request;
  let ranges: GroupRangesAccumulator;
  try {
    ranges = new GroupRangesAccumulator(
      layout,
      Math.min(request.maxColumns, MAX_CHART_COLUMNS),
      firstGroup === undefined ? undefined : { firstGroup, shownGroups },
    );
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`${tensor.file}: "${tensor.name}": ${reason}`, { cause: error });
  }
  await findGroupExtremes(pool, tensor, request.groupSize, ranges, options);
  return ranges.summarize();
}
