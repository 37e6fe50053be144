import type { ScratchTask } from '../../compute/tasks.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { WeightRun } from '../weightRuns.js';

export interface SparseTask extends ScratchTask {
  readonly weights: WeightRun;
  /** Places of kept weights among the run's, ascending. */
  readonly kept: Int32Array;
  /** Columns of a group, which ends with its row at the latest. */
  readonly groupColumns: number;
  /** Canonical name of a format. */
  readonly format: string;
  readonly scaleDtype: ScaleDtype;
}

export interface SparseApi {
  /** Replaces kept weights by F16 and the others by quantized ones, whose scales know nothing of the kept. */
  quantizeSparse(task: SparseTask): Promise<void>;
}
