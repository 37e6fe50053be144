import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { fitBlock } from './blockChoice.js';
import {
  makeGroupQuantizer,
  findGroupRange,
  rangeExcludesZero,
  type GroupQuantizer,
} from './groupQuantizer.js';
import { searchRange, searchWeightedRange } from './rangeSearch.js';

/**
 * Finds the parameters of one group.
 * @param weights the group's, finite
 * @param tensorRange extremes of the whole tensor: `tensor` groups take them for their own
 * @param importance how much the squared error of each weight counts in a search, which there is then;
 *   absent: the search that the format names
 * @returns the quantizer, and the extremes that it was made for, before any search
 */
export function fitGroup(
  { entry: { rule }, group, search }: NumberFormat,
  scaleDtype: ScaleDtype,
  weights: Float32Array,
  tensorRange: FixedRange | undefined,
  importance?: Float32Array,
): { quantizer: GroupQuantizer; extremes: FixedRange } {
  const whole = group.kind === 'tensor' ? tensorRange : undefined;
  const extremes = whole ?? findGroupRange(weights, true);
  if (rule.kind === 'ggml') throw new Error(`${rule.type} has no groups of one scale`);
  if (rule.kind === 'block-choice') {
    return { quantizer: fitBlock(rule, weights, tensorRange, importance), extremes };
  }
  const range = rangeExcludesZero(rule)
    ? extremes
    : { lo: Math.min(0, extremes.lo) + 0, hi: Math.max(0, extremes.hi) };
  if (importance) {
    const group = { rule, range, dtype: scaleDtype, tensor: tensorRange, weights, importance };
    return { quantizer: searchWeightedRange(group), extremes };
  }
  const best = searchRange(rule, search, range, scaleDtype, weights);
  return { quantizer: makeGroupQuantizer(rule, best, scaleDtype, tensorRange), extremes };
}
