import type { WorkerPool } from '../../compute/workerPool.js';
import type { ActivationFormat, FixedRounding } from '../../formats/activations.js';
import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { ImportanceOf, StepFinding } from '../../methods/types.js';
import type { LanguageModel, TensorChange } from '../evaluation/types.js';

/** A tensor that calibration has made: f32 in logical order. */
export interface CalibratedTensor {
  readonly name: string;
  /** [outputs × inputs] of a linear weight, [elements] of a bias or a norm's weight. */
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** What a linear map's weights were scaled by; what stands before and behind it undoes that. */
export interface LinearFactors {
  /** f32 [inputs]: columns were multiplied by these. */
  readonly inputs?: Float32Array;
  /** f32 [outputs]: rows were divided by these. */
  readonly outputs?: Float32Array;
}

/** What calibration has made of a part of a block. */
export interface CalibratedPart {
  /** By tensor name. */
  readonly changes: ReadonlyMap<string, TensorChange>;
  /** By the name of the weights' tensor. */
  readonly factors: ReadonlyMap<string, LinearFactors>;
  readonly findings: readonly StepFinding[];
  /** How inputs of linear maps are rounded, where a method has chosen it: by the name of their weights. */
  readonly roundings: ReadonlyMap<string, FixedRounding>;
}

/** Keeps parts that are finished, outside of memory, so that a cancelled calibration goes on behind them. */
export interface CalibratedParts {
  /** @param part name within the block: of the site, or of the step */
  get(block: number, part: string): Promise<CalibratedPart | undefined>;
  /** Resolves when the part would survive a crash; the values may then be reused. */
  put(
    block: number,
    part: string,
    tensors: readonly CalibratedTensor[],
    findings: readonly StepFinding[],
    beside?: Partial<Pick<CalibratedPart, 'factors' | 'roundings'>>,
  ): Promise<CalibratedPart>;
}

/** What passes through a model, and which of its tensors are meant. */
export interface WalkRequest {
  /** Threads; its memory grows, so it had better end with the walk. */
  readonly pool: WorkerPool;
  readonly model: LanguageModel;
  /** Token ids of the calibration text. */
  readonly windows: readonly Int32Array[];
  readonly scaleDtype: ScaleDtype;
  /** Names of the tensors that are quantized. */
  readonly tensors: ReadonlySet<string>;
}

/** What is calibrated, on what, and how. */
export interface CalibrationRequest extends WalkRequest {
  readonly format: NumberFormat;
  /** What linear maps will take; absent: activations as they are. */
  readonly activations?: ActivationFormat;
  /** What earlier steps have made of the model. */
  readonly base: ReadonlyMap<string, TensorChange>;
  readonly parts: CalibratedParts;
  /** Mean squares of inputs, for methods that need them; found when they are asked for. */
  readonly importance?: () => Promise<ImportanceOf>;
}
