import type { BiasedFloat } from '../../formats/preShifted.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { OutputRowsTask } from '../samples/tasks.js';

export interface RowBiasesTask extends OutputRowsTask {
  /** Address of the samples, rounded, and packed as weights. */
  readonly packed: number;
  /** What the map comes to unquantized: f32 [samples × outputs]. */
  readonly target: Matrix;
  readonly format: BiasedFloat;
  readonly scaleDtype: ScaleDtype;
}

export interface QuantizeRowsTask extends OutputRowsTask {
  readonly format: BiasedFloat;
  /** Of all outputs. */
  readonly biases: Float64Array;
  readonly scaleDtype: ScaleDtype;
  /** Address of packed weights of all outputs; absent: the weights are replaced. */
  readonly packed?: number;
}

/** The search of LLM-FP4 in a compute worker, beside what samples come to. */
export interface LlmFp4Api {
  /** The bias of each output with which it errs least on the samples; +∞ where its weights are 0. */
  searchRowBiases(task: RowBiasesTask): Promise<Float64Array>;
  /** Rows of weights as floats with these biases. */
  quantizeRowsByBias(task: QuantizeRowsTask): Promise<void>;
}
