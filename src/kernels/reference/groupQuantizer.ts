import type { Rule, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { gridGroup } from './gridGroup.js';
import { denormalIntegerGroup, integerGroup } from './integerGroup.js';
import type { StoredScale } from './scales.js';

/** What became of one weight. */
export interface QuantizedWeight {
  /** ŵ, the value the stored code decodes to. */
  readonly value: number;
  /** (w − ŵ) in widths of the level interval that the weight falls in. */
  readonly stepError: number;
}

/** A group's parameters, fixed before any code is chosen. */
export interface GroupQuantizer {
  readonly scales: readonly StoredScale[];
  /** Zero point, for the rules that have one. */
  readonly zeroPoint?: number;
  /** The distance between any two levels, where it is the same throughout; 0 where all are zero. */
  readonly width?: number;
  quantize(weight: number): QuantizedWeight;
}

/** Extremes of the whole tensor, for the rules that need them (NVFP4). */
export type TensorRange = FixedRange;

/** Rules that see one group at a time. */
export type GroupRule = Extract<Rule, { kind: 'integer' | 'grid' | 'denormal-integer' }>;

/** True for the convention whose range need not hold zero (AWQ). */
export function rangeExcludesZero(rule: GroupRule): boolean {
  return rule.kind === 'integer' && rule.convention === 'awq';
}

/** Range of a group: its extremes, with zero inside unless the rule says otherwise. */
export function groupRange(weights: Float32Array, withoutZero = false): FixedRange {
  let lo = withoutZero && weights.length > 0 ? weights[0] : 0;
  let hi = lo;
  for (const weight of weights) {
    if (weight < lo) lo = weight;
    if (weight > hi) hi = weight;
  }
  // Never −0, which minima leave to chance.
  return { lo: lo + 0, hi: hi + 0 };
}

/**
 * Parameters of one group for a rule, from its range, with scales as they would be stored.
 * An all-zero group counts as [−1, 1] (sections 1 and 5.1), where the range holds zero.
 */
export function groupQuantizer(
  rule: GroupRule,
  range: FixedRange,
  dtype: ScaleDtype,
  tensor?: TensorRange,
): GroupQuantizer {
  const empty = range.lo === 0 && range.hi === 0;
  const unit = { lo: -1, hi: 1 };
  switch (rule.kind) {
    case 'integer':
      // AutoAWQ's floor of 1e-5 makes an all-zero group harmless by itself.
      return integerGroup(rule, empty && rule.convention.startsWith('gptq') ? unit : range, dtype);
    case 'grid':
      // NVFP4's scales have a floor of their own, which an empty block is to get.
      return gridGroup(
        rule,
        empty && !rule.scaling.startsWith('e4m3') ? unit : range,
        dtype,
        tensor,
      );
    case 'denormal-integer':
      return denormalIntegerGroup(rule, empty ? unit : range, dtype);
  }
}
