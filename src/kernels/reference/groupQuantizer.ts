import type { GridScaling, Rule, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { makeCastQuantizer } from './castGroup.js';
import { makeGridQuantizer } from './gridGroup.js';
import { makeDenormalIntegerQuantizer, makeIntegerQuantizer } from './integerGroup.js';
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
  /** One, or one for weights ≥ 0 and one for weights < 0; none for casts. */
  readonly scales: readonly StoredScale[];
  /** What multiplies the scale of each group (NVFP4). */
  readonly tensorScale?: number;
  /** Which of a block's grids it has, where there are several. */
  readonly grid?: number;
  /** Zero point as stored, for the rules that have one. */
  readonly zeroPoint?: number;
  /** The distance between any two levels, where it is the same throughout; 0 where all are zero. */
  readonly width?: number;
  quantize(weight: number): QuantizedWeight;
  /** The code that {@link quantize} decodes, see `EncodedChunk`. */
  code(weight: number): number;
}

/** Extremes of the whole tensor, for the rules that need them (NVFP4). */
export type TensorRange = FixedRange;

/** Rules whose parameters follow from a range: not those that look at a block's weights. */
export type GroupRule = Exclude<Rule, { kind: 'ggml' | 'block-choice' }>;

/** True for the rules whose range need not hold zero (AWQ, AMXFP4). */
export function rangeExcludesZero(rule: GroupRule): boolean {
  return rule.kind === 'integer'
    ? rule.convention === 'awq'
    : rule.kind === 'grid' && rule.scaling === 'by-sign-e5m2';
}

/** Range of a group: its extremes, with zero inside unless the rule says otherwise. */
export function findGroupRange(weights: Float32Array, withoutZero = false): FixedRange {
  let lo = withoutZero && weights.length > 0 ? weights[0] : 0;
  let hi = lo;
  for (const weight of weights) {
    if (weight < lo) lo = weight;
    if (weight > hi) hi = weight;
  }
  // Never −0, which minima leave to chance.
  return { lo: lo + 0, hi: hi + 0 };
}

type Maker<R extends GroupRule> = (
  rule: R,
  range: FixedRange,
  dtype: ScaleDtype,
  tensor: TensorRange | undefined,
) => GroupQuantizer;

/** What an all-zero group counts as, where the range holds zero (sections 1 and 5.1). */
function orUnit(range: FixedRange): FixedRange {
  return range.lo === 0 && range.hi === 0 ? { lo: -1, hi: 1 } : range;
}

/** NVFP4's scales have a floor, which an all-zero block is to get; AMXFP4 stores 1, bitsandbytes absmax 0. */
const EMPTY_AS_IT_IS: ReadonlySet<GridScaling> = new Set([
  'by-sign-e5m2',
  'e4m3',
  'e4m3-two-level',
  'absmax-reciprocal',
]);

/** How each kind of rule quantizes a group. */
const MAKERS: { readonly [Kind in GroupRule['kind']]: Maker<Extract<GroupRule, { kind: Kind }>> } =
  {
    integer: (rule, range, dtype) =>
      // AutoAWQ's floor of 1e-5 makes an all-zero group harmless by itself.
      makeIntegerQuantizer(rule, rule.convention.startsWith('gptq') ? orUnit(range) : range, dtype),
    'denormal-integer': (rule, range, dtype) =>
      makeDenormalIntegerQuantizer(rule, orUnit(range), dtype),
    grid: (rule, range, dtype, tensor) =>
      makeGridQuantizer(
        rule,
        EMPTY_AS_IT_IS.has(rule.scaling) ? range : orUnit(range),
        dtype,
        tensor,
      ),
    cast: ({ dtype }) => makeCastQuantizer(dtype),
  };

/** Parameters of one group for a rule, from its range, with scales as they would be stored. */
export function makeGroupQuantizer(
  rule: GroupRule,
  range: FixedRange,
  dtype: ScaleDtype,
  tensor?: TensorRange,
): GroupQuantizer {
  // A rule's own kind picks the function; TypeScript does not connect the two.
  return (MAKERS[rule.kind] as Maker<GroupRule>)(rule, range, dtype, tensor);
}
