import { roundToMinifloat } from '../../../formats/grid.js';
import type { Minifloat } from '../../../formats/types.js';
import { scaleOfRange } from '../../forwardKernels.js';

/**
 * Rounds a row to levels times a scale, each step in f32.
 * @param scale absent: that of the row's largest magnitude; a row that is not all finite becomes NaN
 * @param target receives the result; may be the row
 */
export function roundRow(
  row: Float32Array,
  levels: Minifloat,
  scale: number | undefined,
  target: Float32Array,
): void {
  if (scale === undefined && !row.every(Number.isFinite)) {
    target.fill(NaN);
    return;
  }
  const range = row.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const factor = scale ?? scaleOfRange(range, levels);
  if (factor === 0) target.fill(0);
  else {
    row.forEach((v, i) => (target[i] = roundToMinifloat(levels, Math.fround(v / factor)) * factor));
  }
}
