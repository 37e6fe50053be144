import type { ScratchTask } from '../../compute/tasks.js';
import type { Run, SquareMatrix } from '../../kernels/calibrationKernels.js';
import type { Matrix } from '../../kernels/forwardKernels.js';

export interface GramTask extends ScratchTask {
  readonly gram: SquareMatrix;
  readonly inputs: Matrix;
  readonly rows: number;
  /** Rows of the gram. */
  readonly band: Run;
}

export interface GramRowsTask extends ScratchTask {
  readonly gram: SquareMatrix;
  readonly band: Run;
}

/** Where sums over inputs lie: f64 [inputs] of |x|, f32 [inputs] of the smallest and the largest x. */
export interface PlacedStatistics {
  readonly sumAbs: number;
  readonly min: number;
  readonly max: number;
}

export interface StatisticsTask extends ScratchTask, PlacedStatistics {
  readonly inputs: Matrix;
  readonly rows: number;
  readonly columns: Run;
}

/** What a compute worker sums over rows of inputs. */
export interface GramApi {
  /** Sets rows to 0, from the diagonal on. */
  clearGram(task: GramRowsTask): Promise<void>;
  /** Adds Σxᵀx on and above the diagonal. */
  addGram(task: GramTask): Promise<void>;
  /** Copies what is right of the diagonal to below it. */
  mirrorGram(task: GramRowsTask): Promise<void>;
  clearStatistics(task: StatisticsTask): Promise<void>;
  addStatistics(task: StatisticsTask): Promise<void>;
  /** f64 sums of |x| of a run of columns. */
  readSums(task: StatisticsTask): Promise<Float64Array>;
}
