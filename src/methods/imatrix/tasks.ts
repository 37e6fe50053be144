import type { FormatTask, ScratchTask } from '../../compute/tasks.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { WeightRun } from '../weightRuns.js';

export interface ImportanceTask extends ScratchTask {
  readonly weights: WeightRun;
  /** Mean square of each input: [inputs]. */
  readonly importance: Float32Array;
  readonly format: FormatTask;
  readonly scaleDtype: ScaleDtype;
}

/** Σ importance·(ŵ − w)² of some rows. */
export interface ImportanceErrors {
  readonly weighted: number;
  /** The same rounded without the importance. */
  readonly plain: number;
}

export interface ImportanceApi {
  /** Replaces weights by quantized ones whose errors count by the importance of their inputs. */
  quantizeByImportance(task: ImportanceTask): Promise<ImportanceErrors>;
  /** Replaces weights by quantized ones that follow from the weights alone. */
  quantizeWithout(task: Omit<ImportanceTask, 'importance'>): Promise<void>;
}
