/** What calibration saw of a linear map's inputs. */
export interface InputSquares {
  /** Σx² of each input: [inputs]. */
  readonly sums: Float64Array;
  readonly rows: number;
}

/**
 * Adds the squares of rows to the sums of their columns.
 * @returns whether all sums are finite
 */
export function addSquares(sums: Float64Array, values: Float32Array): boolean {
  const { length: columns } = sums;
  for (let row = 0; row < values.length; row += columns) {
    for (let i = 0; i < columns; i++) sums[i] += values[row + i] * values[row + i];
  }
  return sums.every(Number.isFinite);
}
