import type { ScratchTask } from '../../compute/tasks.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { AdamStep } from '../../kernels/backwardKernels.js';

/** Rows of weights that are rounded and decoded again, elsewhere. */
export interface RoundTask extends ScratchTask {
  /** Addresses of f32 [rows × inputs]. */
  readonly source: number;
  readonly target: number;
  readonly rows: number;
  readonly inputs: number;
  /** Canonical name of a format. */
  readonly format: string;
  readonly scaleDtype: ScaleDtype;
}

export interface AdamTask extends ScratchTask {
  readonly step: AdamStep;
}

/** What training does beside passes, in a compute worker. */
export interface TrainingApi {
  /** target = source, quantized and dequantized. */
  roundWeights(task: RoundTask): Promise<void>;
  adamStep(task: AdamTask): Promise<void>;
}
