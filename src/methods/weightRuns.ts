import type { CalibratedLinear } from './types.js';

/** Rows of a linear map's weights in the shared memory. */
export interface WeightRun {
  /** Address of the first row: f32 [rows × inputs], one row behind the other. */
  readonly at: number;
  readonly rows: number;
  readonly inputs: number;
}

/**
 * A linear map's weights in runs of rows, for tasks. They do not depend on the number of threads, so that
 * sums over them do not either.
 * @param rows per run; the last may have fewer
 */
export function weightRuns(
  { weights, outputs }: CalibratedLinear,
  inputs: number,
  rows: number,
): WeightRun[] {
  if (weights.stride !== inputs) throw new Error('Rows of weights must follow one another');
  const runs: WeightRun[] = [];
  for (let first = 0; first < outputs; first += rows) {
    const at = weights.at + first * inputs * 4;
    runs.push({ at, rows: Math.min(rows, outputs - first), inputs });
  }
  return runs;
}
