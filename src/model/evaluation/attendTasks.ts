import type { TaskOf } from '../../compute/taskMachine.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import { rowsFrom } from '../forward/layers.js';
import { attendScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, PlacedBlock } from '../forward/tasks.js';

/** Windows whose heads attend, one after the other. */
export interface Attending {
  readonly attention: PlacedBlock['attention'];
  readonly windows: readonly { readonly rows: number }[];
  /** From the first window's first row on. */
  readonly projected: Matrix;
  readonly attended: Matrix;
  readonly threads: number;
}

/** Tasks of attention: enough of them for all threads, a few heads of one window each. */
export function attendTasks({
  attention,
  windows,
  projected,
  attended,
  threads,
}: Attending): TaskOf<ForwardApi, 'attend'>[] {
  const { keyValueHeads } = attention;
  const pieces = Math.min(keyValueHeads, Math.ceil((4 * threads) / windows.length));
  const perTask = Math.ceil(keyValueHeads / pieces);
  const tasks: TaskOf<ForwardApi, 'attend'>[] = [];
  let row = 0;
  for (const { rows } of windows) {
    for (let head = 0; head < keyValueHeads; head += perTask) {
      tasks.push({
        attention,
        rows,
        projected: rowsFrom(projected, row),
        attended: rowsFrom(attended, row),
        firstKeyValueHead: head,
        keyValueHeads: Math.min(perTask, keyValueHeads - head),
        scratchBytes: attendScratchBytes(attention, rows),
      });
    }
    row += rows;
  }
  return tasks;
}
