import type { ScratchTask } from '../../compute/tasks.js';
import type { Run, SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { ColumnGroup } from './settings.js';

/** What a column's weights are divided by and what is taken off before: f32 [inputs], in stored order. */
export interface ColumnNorms {
  readonly scales: Float32Array;
  readonly biases: Float32Array;
}

/** Weights in a copy that has columns in stored order, normalized, and rows up to a multiple of vectors. */
export interface CopiedWeights {
  /** As the model has them: f32 [outputs × inputs]. */
  readonly weights: Matrix;
  readonly outputs: number;
  readonly inputs: number;
  /** f32 [padded outputs × inputs]; rows beyond the outputs are 0. */
  readonly copy: Matrix;
  /** Input of each column of the copy; absent: as they are. */
  readonly order?: Int32Array;
  readonly norms?: ColumnNorms;
  /** Columns of the copy whose inputs were always zero. */
  readonly dead: readonly number[];
}

export interface CopiedRowsTask extends ScratchTask, CopiedWeights {
  /** Rows of the copy. */
  readonly rows: Run;
}

export interface ColumnRangesTask extends ScratchTask {
  readonly weights: Matrix;
  readonly rows: Run;
  readonly inputs: number;
}

/** f32 [inputs]. */
export interface ColumnRanges {
  readonly min: Float32Array;
  readonly max: Float32Array;
}

/** Vectors of a group of columns, one below the other, and what k-means has found so far. */
export interface VectorsTask extends ScratchTask {
  /** f32 [padded outputs × inputs]. */
  readonly matrix: Matrix;
  readonly columns: Run;
  readonly length: number;
  /** Rows of vectors. */
  readonly vectors: Run;
}

export interface AssignTask extends VectorsTask {
  readonly codebook: number;
  readonly centroids: number;
  /** f64, of each column. */
  readonly weights: Float64Array;
}

export interface GatherTask extends Omit<VectorsTask, 'vectors'> {
  /** Row of vectors · columns + column. */
  readonly places: Int32Array;
}

/** A group of columns and addresses of its codebooks, f32 [centroids × length]. */
export interface CodedGroup extends ColumnGroup {
  readonly codebook: number;
  readonly residualCodebook: number;
}

export interface SweepTask extends CopiedRowsTask {
  readonly factor: SquareMatrix;
  readonly groups: readonly CodedGroup[];
}

export interface EncodeTask extends SweepTask {
  /**
   * Where what the first codebooks leave of compensated weights goes, f32 [padded outputs × inputs]; the copy
   * then stays as it is, and second codebooks are not used.
   */
  readonly rest?: Matrix;
}

export interface MeasureTask extends SweepTask {
  /** `weights`: all of them are lost; `nearest`: what the nearest centroids of the first codebooks leave. */
  readonly lost: 'weights' | 'nearest';
}

/** What losing a part E of weights does: rows beyond the outputs and dead inputs do not count. */
export interface Loss {
  /** tr(E·H·Eᵀ), H damped as it was factored. */
  readonly products: number;
  /** ΣE². */
  readonly squares: number;
}

/** What vector quantization does in a worker. */
export interface VptqApi {
  columnRanges(task: ColumnRangesTask): Promise<ColumnRanges>;
  copyRows(task: CopiedRowsTask): Promise<void>;
  /** Replaces the model's weights by those of the copy. */
  restoreCopiedRows(task: CopiedRowsTask): Promise<void>;
  /** Vectors at some places: f32 [places × length]. */
  gatherVectors(task: GatherTask): Promise<Float32Array>;
  /**
   * Looks vectors up. @returns of each centroid the weighted sum of its vectors' components and the sum of
   * their weights, f64 [centroids × (length + 1)], and at the end the weighted sum of squared distances
   */
  assignVectors(task: AssignTask): Promise<Float64Array>;
  measureLoss(task: MeasureTask): Promise<Loss>;
  /**
   * Column after column, later ones making up for what was lost. Replaces rows of the copy by what they decode
   * to, before columns are moved back.
   */
  encodeRows(task: EncodeTask): Promise<Loss>;
}
