import type { FactorStep, Run, SquareMatrix } from '../../calibrationKernels.js';

/** See `CalibrationKernels.factorDiagonal`. @param h the memory as f64 */
export function factorDiagonal(
  h: Float64Array,
  { matrix: { at, order }, block }: FactorStep,
  floors: number,
): boolean {
  const base = at / 8;
  for (let k = block.end - 1; k >= block.first; k--) {
    const pivot = h[base + k * order + k];
    if (!(pivot > h[floors / 8 + k - block.first])) return false;
    const root = Math.sqrt(pivot);
    h[base + k * order + k] = root;
    for (let i = block.first; i < k; i++) h[base + i * order + k] /= root;
    for (let i = block.first; i < k; i++) {
      const factor = h[base + i * order + k];
      for (let j = i; j < k; j++) h[base + i * order + j] -= factor * h[base + j * order + k];
    }
  }
  return true;
}

/** See `CalibrationKernels.solveRows`. */
export function solveRows(
  h: Float64Array,
  { matrix: { at, order }, block }: FactorStep,
  rows: Run,
): void {
  const base = at / 8;
  for (let i = rows.first; i < rows.end; i++) {
    const row = base + i * order;
    for (let k = block.end - 1; k >= block.first; k--) {
      const value = h[row + k] / h[base + k * order + k];
      h[row + k] = value;
      for (let j = block.first; j < k; j++) h[row + j] -= value * h[base + j * order + k];
    }
  }
}

/** See `CalibrationKernels.updateRows`. */
export function updateRows(
  h: Float64Array,
  { matrix: { at, order }, block }: FactorStep,
  rows: Run,
): void {
  const base = at / 8;
  for (let i = rows.first; i < rows.end; i++) {
    const row = base + i * order;
    for (let j = i; j < block.first; j++) {
      let sum = 0;
      for (let k = block.first; k < block.end; k++) sum += h[row + k] * h[base + j * order + k];
      h[row + j] -= sum;
    }
  }
}

/** See `CalibrationKernels.copyTriangle`. */
export function copyTriangle(
  h: Float64Array,
  { at, order }: SquareMatrix,
  rows: Run,
  from: 'upper' | 'lower',
): void {
  const base = at / 8;
  for (let i = rows.first; i < rows.end; i++) {
    for (let j = i + 1; j < order; j++) {
      const upper = base + i * order + j;
      const lower = base + j * order + i;
      if (from === 'upper') h[lower] = h[upper];
      else h[upper] = h[lower];
    }
  }
}
