import type { ScratchTask } from '../../compute/tasks.js';
import type { FixedRounding } from '../../formats/activations.js';
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

/** How samples are rounded; without a scale each row has that of its largest magnitude. */
export type SampleRounding = Pick<FixedRounding, 'levels'> & Partial<FixedRounding>;

export interface PackSamplesTask extends ScratchTask {
  readonly samples: Samples;
  /** Absent: as they are. */
  readonly rounding?: SampleRounding;
  /** As which side of a product. */
  readonly side: 'inputs' | 'weights';
  /** Address of the packed rows. */
  readonly packed: number;
}

/** Rows of a linear map's weights, and what it takes. */
export interface OutputRowsTask extends ScratchTask {
  readonly samples: Samples;
  /** f32 [outputs × inputs]. */
  readonly weights: Matrix;
  /** Outputs; the first is a multiple of a panel's. */
  readonly run: Run;
}

export interface FloatOutputsTask extends OutputRowsTask {
  /** Address of the packed samples, as they are. */
  readonly packed: number;
  /** f32 [samples × outputs]. */
  readonly target: Matrix;
}

export interface QuantizeScaledTask extends OutputRowsTask {
  /** Canonical name of a format whose groups end with rows. */
  readonly format: string;
  readonly scaleDtype: ScaleDtype;
  /** f32 [inputs], 0 where weights become 0; absent: none. */
  readonly factors?: Float32Array;
  /** Address of packed weights of all outputs; absent: the weights are replaced. */
  readonly packed?: number;
}

export interface SampleLossTask extends ScratchTask {
  readonly samples: Samples;
  readonly rounding?: SampleRounding;
  /** Address of quantized weights, packed. */
  readonly weights: number;
  readonly outputs: number;
  /** What the map comes to unquantized: f32 [samples × outputs]. */
  readonly target: Matrix;
}

/** What quantization does to the outputs of sampled rows, in a compute worker. */
export interface SampleApi {
  /** Rounds sampled inputs and packs them for a product. */
  packSamples(task: PackSamplesTask): Promise<void>;
  /** What some outputs come to, unquantized. */
  floatOutputs(task: FloatOutputsTask): Promise<void>;
  /** Rows of weights as Q(w·s)/s. */
  quantizeScaled(task: QuantizeScaledTask): Promise<void>;
  /** Σ(ŷ − y)² over samples and outputs. */
  sampleLoss(task: SampleLossTask): Promise<number>;
}
