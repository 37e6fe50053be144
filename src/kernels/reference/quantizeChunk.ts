import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { RAW_ERROR_SUMS, type ChunkShape, type FixedRange } from '../types.js';
import { groupQuantizer, groupRange } from './quantizeGroup.js';

/** Columns per group for a chunk; a group never crosses the end of a row. */
export function groupColumns(format: NumberFormat, columns: number): number {
  return format.group.kind === 'columns' ? Math.min(format.group.size, columns) : columns;
}

/**
 * Quantizes and dequantizes a chunk of finite weights: the meaning of every format.
 * @param weights [rows × columns], finite
 * @param output same length; may be left out
 * @returns raw sums, see `errorSums`
 */
export function quantizeChunk(
  format: NumberFormat,
  scaleDtype: ScaleDtype,
  shape: ChunkShape,
  weights: Float32Array,
  output?: Float32Array,
  fixedRange?: FixedRange,
): Float64Array {
  const raw = new Float64Array(RAW_ERROR_SUMS);
  const size = groupColumns(format, shape.columns);
  for (let row = 0; row < shape.rows; row++) {
    for (let column = 0; column < shape.columns; column += size) {
      const start = row * shape.columns + column;
      const end = start + Math.min(size, shape.columns - column);
      const range = fixedRange ?? groupRange(weights.subarray(start, end));
      const quantizer = groupQuantizer(format.entry.rule, range, scaleDtype);
      if (quantizer.scales.some((scale) => !scale.exactEnough)) raw[15]++;
      if ((range.lo === 0) !== (range.hi === 0)) raw[16]++;
      for (let i = start; i < end; i++) {
        const { value, stepError, clipped } = quantizer.quantize(weights[i]);
        const error = Math.fround(value - weights[i]);
        const lane = (i - start) & 3;
        raw[lane] += error * error;
        raw[4 + lane] += value * value;
        raw[8 + lane] += stepError * stepError;
        raw[12] = Math.max(raw[12], Math.abs(error));
        if (value === 0 && weights[i] !== 0) raw[13]++;
        if (clipped) raw[14]++;
        if (output) output[i] = value;
      }
    }
  }
  return raw;
}
