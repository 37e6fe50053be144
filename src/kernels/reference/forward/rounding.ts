import { roundToMinifloat } from '../../../formats/grid.js';
import type { Minifloat } from '../../../formats/types.js';
import { scaleOfRange } from '../../forwardKernels.js';

/**
 * Rounds a row to levels times a scale, each step in f32.
 * @param scale absent: that of the row's largest magnitude; a row that is not all finite becomes NaN. An array
 *   has one for each value
 * @param target receives the result; may be the row
 */
export function roundRow(
  row: Float32Array,
  levels: Minifloat,
  scale: number | Float32Array | undefined,
  target: Float32Array,
): void {
  const roundTo = (value: number, factor: number) =>
    factor === 0 ? 0 : roundToMinifloat(levels, Math.fround(value / factor)) * factor;
  if (scale instanceof Float32Array) {
    row.forEach((v, i) => (target[i] = roundTo(v, scale[i])));
    return;
  }
  if (scale === undefined && !row.every(Number.isFinite)) {
    target.fill(NaN);
    return;
  }
  const range = row.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
  const factor = scale ?? scaleOfRange(range, levels);
  row.forEach((v, i) => (target[i] = roundTo(v, factor)));
}
