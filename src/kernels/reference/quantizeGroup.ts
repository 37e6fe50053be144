import { roundHalfEven } from '../../formats/float32.js';
import type { Grid, Rule, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import { divisorOf, storeScale, type StoredScale } from './scales.js';

/** What became of one weight. */
export interface QuantizedWeight {
  /** ŵ, the value the stored code decodes to. */
  readonly value: number;
  /** Error in widths of the level interval that the weight falls in. */
  readonly stepError: number;
  /** True where the nearest code lies outside the format's range. */
  readonly clipped: boolean;
}

/** A group's parameters, fixed before any code is chosen. */
export interface GroupQuantizer {
  readonly scales: readonly StoredScale[];
  /** Zero point, for the rules that have one. */
  readonly zeroPoint?: number;
  quantize(weight: number): QuantizedWeight;
}

const { fround } = Math;
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** Integers by GPTQ's convention (section 1): lo ≤ 0 ≤ hi, weight and zero point rounded apart. */
function integerGroup(
  bits: number,
  symmetric: boolean,
  range: FixedRange,
  dtype: ScaleDtype,
): GroupQuantizer {
  const maxCode = 2 ** bits - 1;
  let { lo, hi } = range;
  if (symmetric) {
    hi = Math.max(-lo, hi);
    if (lo < 0) lo = -hi;
  }
  const scale = storeScale(fround(fround(hi - lo) / maxCode), dtype);
  const divisor = divisorOf(scale.value);
  const zeroPoint = symmetric
    ? 2 ** (bits - 1)
    : clamp(roundHalfEven(fround(-lo / divisor)), 0, maxCode);
  return {
    scales: [scale],
    zeroPoint,
    quantize(weight) {
      const scaled = fround(weight / divisor);
      const unclamped = fround(roundHalfEven(scaled) + zeroPoint);
      const code = clamp(unclamped, 0, maxCode);
      const level = code - zeroPoint;
      return {
        value: fround(scale.value * level),
        stepError: fround(scaled - level),
        clipped: code !== unclamped,
      };
    },
  };
}

/** Index of the interval between levels that y falls in, the outermost one beyond the ends. */
function intervalOf(levels: Float32Array, nearest: number, y: number): number {
  const interval = y < levels[nearest] ? nearest - 1 : nearest;
  return clamp(interval, 0, levels.length - 2);
}

/** A grid of levels; weights ≥ 0 use the positive scale, the others the negative one (section 5.1). */
function gridGroup(
  grid: Grid,
  twoScales: boolean,
  range: FixedRange,
  dtype: ScaleDtype,
): GroupQuantizer {
  const { levels, thresholds, divisor } = grid;
  const last = levels.length - 1;
  const { lo, hi } = range;
  const largest = Math.max(hi, -lo);
  const positive = storeScale(fround((twoScales ? hi : largest) / divisor), dtype);
  const negative = twoScales ? storeScale(fround(-lo / divisor), dtype) : positive;
  // Half of the outermost interval beyond the outermost level, as far as rounding can reach.
  const top = fround(levels[last] + (levels[last] - levels[last - 1]) / 2);
  const bottom = fround(levels[0] - (levels[1] - levels[0]) / 2);
  return {
    scales: twoScales ? [positive, negative] : [positive],
    quantize(weight) {
      const scale = weight < 0 ? negative.value : positive.value;
      const scaled = fround(weight / divisorOf(scale));
      const index = thresholds.reduce(
        (count, threshold) => count + (scaled > threshold ? 1 : 0),
        0,
      );
      const interval = intervalOf(levels, index, scaled);
      const inverseWidth = fround(1 / (levels[interval + 1] - levels[interval]));
      return {
        value: fround(levels[index] * scale),
        stepError: fround(fround(scaled - levels[index]) * inverseWidth),
        clipped: scaled > top || scaled < bottom,
      };
    },
  };
}

/**
 * dINT (section 6.1): integers 0 … 2^b−3 with a zero point, and two codes ±special·scale near zero;
 * the nearest wins, an integer where both are equally near.
 */
function denormalIntegerGroup(
  rule: Extract<Rule, { kind: 'denormal-integer' }>,
  range: FixedRange,
  dtype: ScaleDtype,
): GroupQuantizer {
  const { bits, symmetric, special } = rule;
  const top = 2 ** bits - 3;
  const { lo, hi } = range;
  const span = symmetric ? 2 * Math.max(hi, -lo) : hi - lo;
  const scale = storeScale(fround(span / top), dtype);
  const divisor = divisorOf(scale.value);
  const zeroPoint = symmetric
    ? 2 ** (bits - 1) - 1
    : clamp(roundHalfEven(fround(-lo / divisor)), 0, top);
  const lowest = Math.min(-zeroPoint, -special);
  const highest = Math.max(top - zeroPoint, special);
  return {
    scales: [scale],
    zeroPoint,
    quantize(weight) {
      const scaled = fround(weight / divisor);
      const unclamped = fround(roundHalfEven(scaled) + zeroPoint);
      const integer = clamp(unclamped, 0, top) - zeroPoint;
      const denormal = scaled < 0 ? -special : special;
      const nearer = Math.abs(fround(scaled - denormal)) < Math.abs(fround(scaled - integer));
      const level = nearer ? denormal : integer;
      const inside = Math.abs(clamp(scaled, lowest, highest));
      // Widths: special next to zero, 1 − special up to the first integer, then 1.
      const inverseWidth =
        inside <= special ? fround(1 / special) : inside <= 1 ? fround(1 / (1 - special)) : 1;
      return {
        value: fround(scale.value * level),
        stepError: fround(fround(scaled - level) * inverseWidth),
        clipped: !nearer && unclamped - zeroPoint !== integer,
      };
    },
  };
}

/**
 * Range of a group as the rules use it: zero is inside, and an all-zero group counts as [−1, 1]
 * (sections 1 and 5.1).
 */
export function groupRange(weights: Float32Array): FixedRange {
  let lo = 0;
  let hi = 0;
  for (const weight of weights) {
    if (weight < lo) lo = weight;
    if (weight > hi) hi = weight;
  }
  return { lo, hi };
}

/** Parameters of one group for a rule, from its range, with scales as they would be stored. */
export function groupQuantizer(rule: Rule, range: FixedRange, dtype: ScaleDtype): GroupQuantizer {
  const used = range.lo === 0 && range.hi === 0 ? { lo: -1, hi: 1 } : range;
  switch (rule.kind) {
    case 'integer':
      return integerGroup(rule.bits, rule.symmetric, used, dtype);
    case 'grid':
      return gridGroup(rule.grid, rule.twoScales, used, dtype);
    case 'denormal-integer':
      return denormalIntegerGroup(rule, used, dtype);
  }
}
