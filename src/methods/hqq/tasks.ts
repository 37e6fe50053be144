import type { ScratchTask } from '../../compute/tasks.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { WeightRun } from '../weightRuns.js';

export interface HqqTask extends ScratchTask {
  readonly weights: WeightRun;
  readonly bits: number;
  /** Inputs per group; the last of a row may have fewer. */
  readonly groupColumns: number;
}

export interface HqqApi {
  /** Σ|w − r| over the rows before each round: [`ROUNDS`]. Leaves the weights as they are. */
  hqqErrors(task: HqqTask): Promise<Float64Array>;
  /** Replaces the weights by those that their codes decode to after some rounds. Returns Σ|ŵ − w|. */
  hqqQuantize(
    task: HqqTask & {
      /** Zero points are improved so often. */
      readonly rounds: number;
      readonly scaleDtype: ScaleDtype;
    },
  ): Promise<number>;
}
