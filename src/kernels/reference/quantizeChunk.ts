import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { RAW, type ChunkShape, type FixedRange, type QuantizeOptions } from '../types.js';
import { addGroup } from './addGroup.js';
import { castGroup } from './castGroup.js';
import { quantizeGgmlChunk } from './ggmlChunk.js';
import {
  groupQuantizer,
  groupRange,
  rangeExcludesZero,
  type GroupQuantizer,
} from './groupQuantizer.js';
import { AWQ_SMALLEST_RANGE } from './integerGroup.js';
import { searchRange } from './rangeSearch.js';

/** A chunk as rows that groups do not cross: blocks of the flattened tensor see one long row. */
export function groupedShape(format: NumberFormat, { rows, columns }: ChunkShape) {
  const { group } = format;
  if (group.kind === 'blocks') {
    return { rows: 1, columns: rows * columns, groupColumns: Math.min(group.size, rows * columns) };
  }
  const groupColumns = group.kind === 'columns' ? Math.min(group.size, columns) : columns;
  return { rows, columns, groupColumns };
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
  { tensorRange }: QuantizeOptions = {},
): Float64Array {
  const { rule } = format.entry;
  if (rule.kind === 'ggml') return quantizeGgmlChunk(rule.type, shape, weights, output);
  const raw = new Float64Array(RAW.length);
  const { rows, columns, groupColumns } = groupedShape(format, shape);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupColumns) {
      const start = row * columns + column;
      const end = start + Math.min(groupColumns, columns - column);
      const group = weights.subarray(start, end);
      const quantizer = quantizerOf(format, scaleDtype, group, raw, tensorRange);
      quantizeGroup(raw, quantizer, group, output?.subarray(start, end));
    }
  }
  return raw;
}

/** Finds a group's parameters and counts what is odd about the group. */
function quantizerOf(
  { entry: { rule }, group, search }: NumberFormat,
  scaleDtype: ScaleDtype,
  weights: Float32Array,
  raw: Float64Array,
  tensorRange: FixedRange | undefined,
): GroupQuantizer {
  if (rule.kind === 'cast') return castGroup(rule.dtype);
  if (rule.kind === 'ggml') throw new Error(`${rule.type} has no groups of one scale`);
  const whole = group.kind === 'tensor' ? tensorRange : undefined;
  const extremes = whole ?? groupRange(weights, true);
  const range = rangeExcludesZero(rule)
    ? extremes
    : { lo: Math.min(0, extremes.lo) + 0, hi: Math.max(0, extremes.hi) };
  const best = searchRange(rule, search, range, scaleDtype, weights);
  const quantizer = groupQuantizer(rule, best, scaleDtype, tensorRange);
  if (quantizer.scales.some((scale) => !scale.exactEnough)) raw[RAW.badScales]++;
  if (extremes.lo >= 0 !== extremes.hi <= 0) raw[RAW.oneSigned]++;
  const straddles = extremes.lo <= 0 && extremes.hi >= 0;
  const span = Math.fround(extremes.hi - extremes.lo);
  if (!straddles || span < AWQ_SMALLEST_RANGE) raw[RAW.notStraddling]++;
  return quantizer;
}

/** Quantizes one group and adds it to the sums. */
function quantizeGroup(
  raw: Float64Array,
  quantizer: GroupQuantizer,
  weights: Float32Array,
  output: Float32Array | undefined,
): void {
  const values = new Float32Array(weights.length);
  const stepErrors = new Float32Array(weights.length);
  for (let i = 0; i < weights.length; i++) {
    const quantized = quantizer.quantize(weights[i]);
    values[i] = quantized.value;
    stepErrors[i] = quantized.stepError;
  }
  addGroup(raw, weights, values, stepErrors, quantizer.width);
  output?.set(values);
}
