import type { ModelTensor } from '../checkpoint/types.js';
import type { NumberFormat } from '../formats/types.js';
import type { FixedRange } from '../kernels/types.js';
import { ANYWHERE, findLeastCommonMultiple, planChunks, type ChunkBoundary } from './chunks.js';
import type { ChunkApi } from './tasks.js';
import type { TaskMachine } from './taskMachine.js';

/** Where all these formats allow a tensor to be cut. */
export function findChunkBoundary(formats: readonly NumberFormat[]): ChunkBoundary {
  let columns = 1;
  let blocks = 1;
  let wholeRows = false;
  for (const { group } of formats) {
    if (group.kind === 'row') wholeRows = true;
    if (group.kind === 'columns') columns = findLeastCommonMultiple(columns, group.size);
    if (group.kind === 'blocks') blocks = findLeastCommonMultiple(blocks, group.size);
  }
  return { columns: wholeRows ? 'row' : columns, blocks };
}

/** Extremes of whole tensors; reads them once. */
export async function findTensorRanges(
  pool: Pick<TaskMachine, 'tasks'>,
  tensors: readonly ModelTensor[],
  signal?: AbortSignal,
): Promise<FixedRange[]> {
  const owners: number[] = [];
  const ranges = tensors.map(() => ({ lo: Infinity, hi: -Infinity }));
  function* tasks() {
    for (const [index, tensor] of tensors.entries()) {
      for (const chunk of planChunks(tensor, { boundary: ANYWHERE, asStored: true })) {
        owners.push(index);
        yield { chunk };
      }
    }
  }
  await pool.tasks<ChunkApi>().run(
    'inspect',
    tasks(),
    ({ min, max }, index) => {
      const range = ranges[owners[index]];
      range.lo = Math.min(range.lo, min);
      range.hi = Math.max(range.hi, max);
    },
    signal,
  );
  return ranges;
}
