import { roundHalfEven } from '../../formats/float32.js';
import type { Rule, ScaleDtype } from '../../formats/types.js';
import type { FixedRange } from '../types.js';
import type { GroupQuantizer } from './groupQuantizer.js';
import { divisorOf, storeScale } from './scales.js';

const { fround } = Math;
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** AWQ's codes never divide by less than this (section 2). */
export const AWQ_SMALLEST_RANGE = fround(1e-5);

/** Halves away from zero, as BitDistiller's code does it: 0.5 is added in f32 before the floor. */
export function roundHalfAway(x: number): number {
  const magnitude = Math.floor(fround(Math.abs(x) + 0.5));
  return x < 0 ? -magnitude : magnitude;
}

interface Parameters {
  /** Before rounding to the scale dtype. */
  readonly scale: number;
  readonly lowestCode: number;
  readonly highestCode: number;
  zeroPoint(divisor: number): number;
}

/** Scale, codes and zero point by convention (sections 1 and 2). */
function parameters(
  { bits, convention }: Extract<Rule, { kind: 'integer' }>,
  { lo, hi }: FixedRange,
): Parameters {
  const highestCode = 2 ** bits - 1;
  const half = 2 ** (bits - 1);
  switch (convention) {
    case 'gptq-asym':
      return {
        scale: fround(fround(hi - lo) / highestCode),
        lowestCode: 0,
        highestCode,
        zeroPoint: (divisor) => clamp(roundHalfEven(fround(-lo / divisor)), 0, highestCode),
      };
    case 'gptq-sym': {
      const largest = Math.max(-lo, hi);
      // Without negative weights the range stays one-sided while the zero point does not.
      const span = lo < 0 ? fround(largest + largest) : largest;
      const scale = fround(span / highestCode);
      return { scale, lowestCode: 0, highestCode, zeroPoint: () => half };
    }
    case 'awq':
      return {
        scale: fround(Math.max(fround(hi - lo), AWQ_SMALLEST_RANGE) / highestCode),
        lowestCode: 0,
        highestCode,
        zeroPoint: (divisor) => clamp(-roundHalfEven(fround(lo / divisor)), 0, highestCode) + 0,
      };
    case 'absmax':
      return {
        scale: fround(Math.max(Math.max(-lo, hi), AWQ_SMALLEST_RANGE) / (half - 1)),
        lowestCode: -half,
        highestCode: half - 1,
        zeroPoint: () => 0,
      };
  }
}

/** Integers with a scale and a zero point; weight and zero point are rounded apart. */
export function makeIntegerQuantizer(
  rule: Extract<Rule, { kind: 'integer' }>,
  range: FixedRange,
  dtype: ScaleDtype,
): GroupQuantizer {
  const { scale: exactScale, lowestCode, highestCode, zeroPoint: zeroOf } = parameters(rule, range);
  const scale = storeScale(exactScale, dtype);
  const divisor = divisorOf(scale.value);
  const zero = zeroOf(divisor);
  // Signed codes are stored with an offset, and so is their zero.
  const zeroPoint = zero - lowestCode;
  const round = rule.ties === 'away' ? roundHalfAway : roundHalfEven;
  const codeOf = (scaled: number) => clamp(fround(round(scaled) + zero), lowestCode, highestCode);
  return {
    scales: [scale],
    zeroPoint,
    width: scale.value,
    quantize(weight) {
      const scaled = fround(weight / divisor);
      const level = codeOf(scaled) - zero;
      return { value: fround(scale.value * level), stepError: fround(scaled - level) };
    },
    code: (weight) => codeOf(fround(weight / divisor)) - lowestCode,
  };
}

/**
 * dINT (section 6.1): integers 0 … 2^b−3 with a zero point, and two codes ±special·scale near zero;
 * the nearest wins, an integer where both are equally near.
 */
export function makeDenormalIntegerQuantizer(
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
  /** Level of a scaled weight. */
  const levelOf = (scaled: number) => {
    const integer = clamp(fround(roundHalfEven(scaled) + zeroPoint), 0, top) - zeroPoint;
    const denormal = scaled < 0 ? -special : special;
    const nearer = Math.abs(fround(scaled - denormal)) < Math.abs(fround(scaled - integer));
    return nearer ? denormal : integer;
  };
  return {
    scales: [scale],
    zeroPoint,
    quantize(weight) {
      const scaled = fround(weight / divisor);
      const level = levelOf(scaled);
      const inside = Math.abs(clamp(scaled, lowest, highest));
      // Widths: special next to zero, 1 − special up to the first integer, then 1.
      const inverseWidth =
        inside <= special ? fround(1 / special) : inside <= 1 ? fround(1 / (1 - special)) : 1;
      return {
        value: fround(scale.value * level),
        stepError: fround(fround(scaled - level) * inverseWidth),
      };
    },
    code(weight) {
      const level = levelOf(fround(weight / divisor));
      if (level === special) return top + 1;
      return level === -special ? top + 2 : level + zeroPoint;
    },
  };
}
