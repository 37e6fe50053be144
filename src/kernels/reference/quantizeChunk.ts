import { ruleProperties } from '../../formats/rules.js';
import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { RAW, type ChunkShape, type FixedRange, type QuantizeOptions } from '../types.js';
import { addGroup } from './addGroup.js';
import { fitGroup } from './fitGroup.js';
import { quantizeGgmlChunk } from './ggmlChunk.js';
import type { GroupQuantizer } from './groupQuantizer.js';
import { groupsOf } from './groups.js';
import { AWQ_SMALLEST_RANGE } from './integerGroup.js';

/** What a chunk is quantized to, and where it lies. */
export interface ChunkToQuantize extends Pick<QuantizeOptions, 'tensorRange'> {
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
  readonly shape: ChunkShape;
  /** [rows × columns], finite. */
  readonly weights: Float32Array;
  /** Receives the dequantized weights; same length. */
  readonly output?: Float32Array;
}

/**
 * Quantizes and dequantizes a chunk of finite weights: the meaning of every format.
 * @returns raw sums, see `errorSums`
 */
export function quantizeChunk({
  format,
  scaleDtype,
  shape,
  weights,
  output,
  tensorRange,
}: ChunkToQuantize): Float64Array {
  const { rule } = format.entry;
  if (rule.kind === 'ggml') return quantizeGgmlChunk(rule.type, shape, weights, output);
  const { hasGroups } = ruleProperties(rule);
  const raw = new Float64Array(RAW.length);
  for (const { start, end } of groupsOf(format, shape)) {
    const group = weights.subarray(start, end);
    const { quantizer, extremes } = fitGroup(format, scaleDtype, group, tensorRange);
    if (hasGroups) countGroup(raw, quantizer, extremes);
    quantizeGroup(raw, quantizer, group, output?.subarray(start, end));
  }
  return raw;
}

/** Counts what is odd about a group. */
function countGroup(raw: Float64Array, quantizer: GroupQuantizer, { lo, hi }: FixedRange): void {
  if (quantizer.scales.some((scale) => !scale.exactEnough)) raw[RAW.badScales]++;
  if (lo >= 0 !== hi <= 0) raw[RAW.oneSigned]++;
  const straddles = lo <= 0 && hi >= 0;
  if (!straddles || Math.fround(hi - lo) < AWQ_SMALLEST_RANGE) raw[RAW.notStraddling]++;
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
