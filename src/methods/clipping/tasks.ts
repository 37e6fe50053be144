import type { FormatTask, ScratchTask } from '../../compute/tasks.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../../kernels/types.js';
import type { WeightRun } from '../weightRuns.js';
import type { ClipKind } from './candidates.js';
import type { ChosenClips } from './searchClips.js';

export interface ClipRowsTask extends ScratchTask {
  readonly weights: WeightRun;
  readonly kind: ClipKind;
  /** Inputs per group, see `clipGroupColumns`. */
  readonly groupColumns: number;
  /** Address of Σxᵀx over the sampled rows: f64 [inputs × inputs]. */
  readonly gram: number;
  /** Rows that were added. */
  readonly sampledRows: number;
  readonly format: FormatTask;
  readonly scaleDtype: ScaleDtype;
}

export interface WeightRowsTask extends ScratchTask {
  readonly weights: WeightRun;
}

export interface ClipApi {
  /** Searches for the range of each group and clamps the weights to it, in place. */
  clipRows(task: ClipRowsTask): Promise<ChosenClips>;
  /** Smallest and largest weight. */
  rangeOfRows(task: WeightRowsTask): Promise<FixedRange>;
}
