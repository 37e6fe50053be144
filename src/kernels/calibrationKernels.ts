import type { Matrix } from './forwardKernels.js';

/** Rows of weights that lie side by side in a panel. */
export const PANEL = 4;

/** Rows of inputs whose products are added up in f32 before they join sums in f64. */
export const PRODUCT_RUN = 256;

/** Rows or columns that a task of a gram or of a factorization takes at most. */
export const LARGEST_BAND = 128;

/** Rows of a matrix that loops pack at once. */
const SLICE = 256;

/** Two packed slices of inputs and their products. */
export const GRAM_SCRATCH_BYTES = (2 * PRODUCT_RUN + LARGEST_BAND) * SLICE * 4;

/** Two packed slices of a factor. */
export const FACTOR_SCRATCH_BYTES = 2 * LARGEST_BAND * SLICE * 8;

/** Bytes that {@link CalibrationKernels.propagate} packs a factor in. */
export function propagateScratchBytes(columns: number): number {
  return paddedWidth(columns) * SLICE * 8;
}

/** A symmetric matrix, or a triangle, of f64 [order × order], row-major. */
export interface SquareMatrix {
  readonly at: number;
  readonly order: number;
}

/** A run of rows or columns: `end` is exclusive. */
export interface Run {
  readonly first: number;
  readonly end: number;
}

/** Rows of inputs whose products are added to a band of Σxᵀx. */
export interface GramBand {
  /** f32 [rows × order]. */
  readonly inputs: Matrix;
  readonly rows: number;
  readonly gram: SquareMatrix;
  /** Rows of the gram; of each, columns from the run's first to the last of all. */
  readonly band: Run;
  /** Address of {@link GRAM_SCRATCH_BYTES}. */
  readonly scratch: number;
}

/** Sums over rows of inputs, for a run of columns; f64 and f32 arrays [order] each. */
export interface StatisticsRun {
  readonly inputs: Matrix;
  readonly rows: number;
  readonly columns: Run;
  /** Addresses of whole arrays. */
  readonly sumAbs: number;
  readonly min: number;
  readonly max: number;
}

/** A step of a factorization: its block of columns, and rows above it. */
export interface FactorStep {
  readonly matrix: SquareMatrix;
  /** Columns that are factored. */
  readonly block: Run;
  /** Address of {@link FACTOR_SCRATCH_BYTES}. */
  readonly scratch: number;
}

/** What finished columns of some rows add to later ones. */
export interface Propagation {
  /** The factor U; column k is divided by its diagonal on the way. */
  readonly factor: SquareMatrix;
  /** Address of 1/Uₖₖ, f64 [order]. */
  readonly inverses: number;
  /** Address of f64 [panels][order][PANEL]. */
  readonly errors: number;
  readonly panels: number;
  /** Errors of columns below this one count. */
  readonly depth: number;
  /** Columns that are added to. */
  readonly columns: Run;
  /** Address of f64 [panels][columns][PANEL]; columns are padded to a multiple of PANEL. */
  readonly target: number;
  /** Address of {@link propagateScratchBytes}. */
  readonly scratch: number;
}

/** The rows of a unit factor for some columns, and what they compensate. */
export interface Window {
  /** Address of the tiles of {@link CalibrationKernels.packWindow}. */
  readonly factor: number;
  readonly width: number;
  readonly panels: number;
  /** Address of f64 [panels][padded width][PANEL]. */
  readonly target: number;
}

/** Vectors, and a codebook that each of them is looked up in. */
export interface NearestSearch {
  /** f32 [length × count]: components of a vector lie below each other, vectors side by side. */
  readonly vectors: Matrix;
  readonly count: number;
  /** Components of a vector. */
  readonly length: number;
  /** Address of f32 [centroids × length]. */
  readonly codebook: number;
  readonly centroids: number;
  /** Address of i32 [count]. */
  readonly target: number;
}

/** Doubles of a row of a window, padded. */
export function paddedWidth(width: number): number {
  return Math.ceil(width / PANEL) * PANEL;
}

/**
 * The inner loops of calibrated methods, over a shared memory. A factor is U of H = U·Uᵀ, upper, found
 * from the last column to the first; R = U·diag(U)⁻¹ has a unit diagonal. Rows of weights lie in panels
 * [panel][column][PANEL]. Sums have one order, whatever runs of rows and columns they are cut into.
 * `reference/calibration` is what the loops mean.
 */
export interface CalibrationKernels {
  addGram(band: GramBand): void;
  /** Adds |x| to sums and takes x into extremes. */
  addStatistics(run: StatisticsRun): void;
  /** Copies what lies above the diagonal of some rows' columns to below it, or back. */
  copyTriangle(matrix: SquareMatrix, rows: Run, from: 'upper' | 'lower'): void;
  /**
   * Factors the block on the diagonal in place.
   * @param floors address of f64 [block]: pivots that are not above these end it
   * @returns false where a pivot is too small or no number: the matrix is not positive definite
   */
  factorDiagonal(step: FactorStep, floors: number): boolean;
  /** Rows above the block become those of U, the block's diagonal being factored. */
  solveRows(step: FactorStep, rows: Run): void;
  /** Takes the block's part out of what stands left of it, in some rows, on and above the diagonal. */
  updateRows(step: FactorStep, rows: Run): void;
  /** target[p, k] += Σⱼ errors[p, j]·R[j, k] over j < depth. */
  propagate(propagation: Propagation): void;
  /** R in a run of rows and columns, as tiles [⌈width/PANEL⌉][width][PANEL] of its columns. */
  packWindow(source: Pick<Propagation, 'factor' | 'inverses' | 'columns'>, target: number): void;
  /** What a window's columns would be compensated by if none of its own were rounded: Δ ← Δ·R⁻¹. */
  substitute(window: Window): void;
  /**
   * Adds the errors of all columns of a window before `column` to the PANEL columns from there on.
   * @param errors address of those of the window's first column; @param step bytes from panel to panel
   * @param column in the window, a multiple of PANEL
   */
  gather(window: Window, errors: number, step: number, column: number): void;
  /** Adds one column's errors to the columns after it that {@link gather} takes together with it. */
  spread(window: Window, errors: number, step: number, column: number): void;
  /**
   * Places of the nearest centroids, of equally near ones the first. Squared distances are f32, components
   * added in their order: the same bits everywhere.
   */
  findNearest(search: NearestSearch): void;
}
