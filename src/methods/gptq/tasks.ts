import type { ScratchTask } from '../../compute/tasks.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { Run, SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { FixedRange } from '../../kernels/types.js';

export interface MatrixTask extends ScratchTask {
  readonly matrix: SquareMatrix;
}

export interface DiagonalTask extends MatrixTask {
  readonly values: Float64Array;
}

/** Rows, or columns, of a matrix. */
export interface MatrixRunTask extends MatrixTask {
  readonly run: Run;
}

export interface PermutationTask extends MatrixRunTask {
  /** Old place of what goes to each new place. */
  readonly order: Int32Array;
}

export interface FactorBlockTask extends MatrixTask {
  readonly block: Run;
  /** Pivots that are not above these show that the matrix is not positive definite. */
  readonly floors: Float64Array;
}

export interface FactorRowsTask extends MatrixTask {
  readonly block: Run;
  readonly rows: Run;
}

export interface WeightRowsTask extends ScratchTask {
  readonly weights: Matrix;
  readonly rows: Run;
  readonly inputs: number;
}

export interface QuantizeRowsTask extends WeightRowsTask {
  readonly factor: SquareMatrix;
  /** Inputs in the order in which they are quantized; absent: as they are. */
  readonly order?: Int32Array;
  /** Inputs that were always zero. */
  readonly dead: readonly number[];
  readonly format: string;
  readonly scaleDtype: ScaleDtype;
  readonly tensorRange?: FixedRange;
  /** Columns that are finished before others are compensated for them. */
  readonly block: number;
  readonly staticGroups: boolean;
}

/** Σ (v − ŵ)²·D over some weights: v the compensated weight, D the square of the factor's diagonal. */
export interface RowLosses {
  /** Of each row. */
  readonly rows: Float64Array;
  /** Of each input, over the rows. */
  readonly inputs: Float64Array;
}

/** What GPTQ does in a worker, over memory that tasks name by addresses. */
export interface GptqApi {
  readDiagonal(task: MatrixTask): Promise<Float64Array>;
  writeDiagonal(task: DiagonalTask): Promise<void>;
  /** Within each row of the run, both sides of the diagonal. */
  permuteColumns(task: PermutationTask): Promise<void>;
  /** Within each column of the run. */
  permuteRows(task: PermutationTask): Promise<void>;
  /** Copies what is below the diagonal in the run's columns to above it. */
  restoreRows(task: MatrixRunTask): Promise<void>;
  /** Whether the block could be factored. */
  factorBlock(task: FactorBlockTask): Promise<boolean>;
  solveRows(task: FactorRowsTask): Promise<void>;
  updateRows(task: FactorRowsTask): Promise<void>;
  /** Extremes of weights that are finite. */
  weightRange(task: WeightRowsTask): Promise<FixedRange>;
  /** Replaces rows of weights by what GPTQ quantizes them to. */
  quantizeRows(task: QuantizeRowsTask): Promise<RowLosses>;
}
