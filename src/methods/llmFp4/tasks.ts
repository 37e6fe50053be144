import type { ScratchTask } from '../../compute/tasks.js';
import type { FixedRounding } from '../../formats/activations.js';
import type { BiasedFloat } from '../../formats/preShifted.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { Run } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';

/** Sampled rows of what a linear map takes. */
export interface Samples {
  /** f32 [rows × inputs]. */
  readonly matrix: Matrix;
  readonly rows: number;
  readonly inputs: number;
}

export interface PackSamplesTask extends ScratchTask {
  readonly samples: Samples;
  /** Absent: as they are. */
  readonly rounding?: FixedRounding;
  /** Address of the packed rows. */
  readonly packed: number;
}

/** Rows of a linear map's weights, and what it comes to. */
export interface OutputRowsTask extends ScratchTask {
  readonly samples: Samples;
  /** f32 [outputs × inputs]. */
  readonly weights: Matrix;
  /** Outputs; the first is a multiple of 8. */
  readonly run: Run;
}

export interface FloatOutputsTask extends OutputRowsTask {
  /** Address of the packed samples, as they are. */
  readonly packed: number;
  /** f32 [samples × outputs]. */
  readonly target: Matrix;
}

export interface RowBiasesTask extends OutputRowsTask {
  /** Address of the packed samples, rounded. */
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

export interface SampleLossTask extends ScratchTask {
  readonly samples: Samples;
  readonly rounding?: FixedRounding;
  /** Address of quantized weights, packed. */
  readonly weights: number;
  readonly outputs: number;
  /** What the map comes to unquantized: f32 [samples × outputs]. */
  readonly target: Matrix;
}

/** The search of LLM-FP4 in a compute worker. */
export interface LlmFp4Api {
  /** Rounds sampled inputs and packs them as a product reads them. */
  packSamples(task: PackSamplesTask): Promise<void>;
  /** What some outputs come to, unquantized. */
  floatOutputs(task: FloatOutputsTask): Promise<void>;
  /** The bias of each output with which it errs least on the samples; +∞ where its weights are 0. */
  searchRowBiases(task: RowBiasesTask): Promise<Float64Array>;
  /** Rows of weights as floats with these biases. */
  quantizeRowsByBias(task: QuantizeRowsTask): Promise<void>;
  /** Σ(ŷ − y)² over samples and outputs. */
  sampleLoss(task: SampleLossTask): Promise<number>;
}
