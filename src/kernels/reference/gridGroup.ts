import {
  binaryExponent,
  minifloatSignBit,
  findMinifloatStep,
  listMinifloatLevels,
  roundToMinifloat,
} from '../../formats/grid.js';
import { saturateF32 } from '../../formats/float32.js';
import type { Grid, GridScaling, Minifloat, Rule, ScaleDtype } from '../../formats/types.js';
import { ruleProperties } from '../../formats/rules.js';
import type { FixedRange } from '../types.js';
import type { GroupQuantizer, TensorRange } from './groupQuantizer.js';
import { divisorOf, storeScale, type StoredScale } from './scales.js';

const { fround } = Math;
const clamp = (x: number, low: number, high: number) => Math.min(Math.max(x, low), high);

/** E4M3 of OCP without its sign: what NVFP4 stores per block. */
export const E4M3: Minifloat = { fractionBits: 3, minExponent: -6, largest: 448, ties: 'even' };
const SMALLEST_NORMAL_E4M3 = 2 ** -6;

/** E5M2 of OCP without its sign, rounded as AMXFP4's code rounds everything. */
const E5M2: Minifloat = { fractionBits: 2, minExponent: -14, largest: 57344, ties: 'away' };

/** E8M0 holds powers of two from 2^−127 to 2^127. */
const E8M0_LIMIT = 127;

const held = (value: number): StoredScale => ({ value, exactEnough: true });

/** NVFP4's block scale (section 4.4): E4M3, to be multiplied by the scale of the tensor. */
function e4m3Scale(tensorScale: number, largest: number, divisor: number): StoredScale {
  const wanted = fround(fround(largest / divisor) / divisorOf(tensorScale));
  return held(roundToMinifloat(E4M3, clamp(wanted, SMALLEST_NORMAL_E4M3, E4M3.largest)));
}

/** Numbers that a block's scale may be: from the smallest normal one of E4M3 on. */
const BLOCK_SCALES = listMinifloatLevels(E4M3).filter((scale) => scale >= SMALLEST_NORMAL_E4M3);
/** Scales that a search tries below and above the one that follows from the largest magnitude (17.4). */
const SCALES_BELOW = 8;
const SCALES_ABOVE = 4;

/**
 * Ranges whose scales are the numbers of E4M3 around the one that a block's largest magnitude gives, which comes
 * first; then from below.
 */
export function* listScaleCandidates(
  rule: Extract<Rule, { kind: 'grid' }>,
  { lo, hi }: FixedRange,
  tensor: TensorRange | undefined,
): Generator<FixedRange> {
  yield { lo, hi };
  const { divisor } = rule.grid;
  const tensorScale = tensorScaleOf(rule, tensor) ?? 1;
  const { value } = e4m3Scale(tensorScale, Math.max(hi, -lo), divisor);
  const place = BLOCK_SCALES.indexOf(value);
  for (let step = -SCALES_BELOW; step <= SCALES_ABOVE; step++) {
    const scale = BLOCK_SCALES[place + step];
    if (step === 0 || scale === undefined) continue;
    const largest = fround(scale * divisor * tensorScale);
    yield { lo: -largest, hi: largest };
  }
}

/** AMXFP4's scale of one sign, given its extreme (section 4.3): 1 where that is 0. */
function e5m2Scale(extreme: number, divisor: number): StoredScale {
  const wanted = fround(Math.abs(extreme) / divisor);
  return held(roundToMinifloat(E5M2, wanted === 0 ? 1 : wanted));
}

/** The E8M0 scale of a block (section 4.3). */
function powerOfTwoScale(largest: number, { divisor }: Grid, scaling: GridScaling): StoredScale {
  const binade = binaryExponent(largest);
  const exponent = binade - binaryExponent(divisor);
  const goesUp =
    scaling === 'power-of-two-ceil'
      ? largest > divisor * 2 ** exponent
      : scaling === 'power-of-two-round' && largest >= 1.75 * 2 ** binade;
  return held(2 ** clamp(exponent + (goesUp ? 1 : 0), -E8M0_LIMIT, E8M0_LIMIT));
}

/**
 * NVFP4's f32 scale of a tensor, so that the block scales use all of E4M3's range; undefined for rules
 * without one.
 * @throws where the rule has one and the range of the tensor is missing
 */
export function tensorScaleOf(rule: Rule, tensor: TensorRange | undefined): number | undefined {
  if (!ruleProperties(rule).hasTensorScale) return undefined;
  if (!tensor) throw new Error('A two-level scale needs the range of the tensor');
  const largest = Math.max(tensor.hi, -tensor.lo);
  if (rule.kind === 'block-choice') return fround(largest / rule.tensorDivisor);
  return rule.kind === 'grid'
    ? fround(largest / fround(E4M3.largest * rule.grid.divisor))
    : undefined;
}

/** Scales for weights ≥ 0 and < 0 as stored; the same one twice where there is only one. */
function scalesOf(
  grid: Grid,
  { scaling }: Extract<Rule, { kind: 'grid' }>,
  { lo, hi }: FixedRange,
  dtype: ScaleDtype,
  tensorScale: number,
): [positive: StoredScale, negative: StoredScale] {
  const largest = Math.max(hi, -lo);
  const both = (scale: StoredScale): [StoredScale, StoredScale] => [scale, scale];
  switch (scaling) {
    case 'shared':
      return both(storeScale(fround(largest / grid.divisor), dtype));
    case 'by-sign':
      return [
        storeScale(fround(hi / grid.divisor), dtype),
        // Never −0, which no file should hold.
        storeScale(fround((0 - lo) / grid.divisor), dtype),
      ];
    case 'by-sign-e5m2':
      return [e5m2Scale(hi, grid.divisor), e5m2Scale(lo, grid.divisor)];
    case 'power-of-two':
    case 'power-of-two-ceil':
    case 'power-of-two-round':
      return both(powerOfTwoScale(largest, grid, scaling));
    case 'e4m3':
    case 'e4m3-two-level':
      return both(e4m3Scale(tensorScale, largest, grid.divisor));
    case 'absmax-reciprocal':
      return both(held(largest));
  }
}

/** Index of the level that a scaled weight rounds to, by the grid's thresholds. */
function levelIndex({ thresholds }: Grid, scaled: number): number {
  let index = 0;
  while (index < thresholds.length && scaled > thresholds[index]) index++;
  return index;
}

/** Level and inverse width of the interval around a scaled weight, on any grid. */
function byThresholds(grid: Grid, scaled: number) {
  const { levels } = grid;
  const index = levelIndex(grid, scaled);
  const interval = clamp(scaled < levels[index] ? index - 1 : index, 0, levels.length - 2);
  const inverseWidth = fround(1 / (levels[interval + 1] - levels[interval]));
  return { level: levels[index], inverseWidth };
}

/** The same where the levels are those of a small float. */
function byArithmetic(format: Minifloat, scaled: number) {
  return {
    level: roundToMinifloat(format, scaled),
    inverseWidth: 1 / findMinifloatStep(format, scaled),
  };
}

/** Rounds weights to the levels of a grid. @param scaledWeight, scaleOf of a weight: w/scale, and the scale */
export function roundToGrid(
  grid: Grid,
  scaledWeight: (weight: number) => number,
  scaleOf: (weight: number) => number,
): Pick<GroupQuantizer, 'quantize' | 'code'> {
  return {
    quantize(weight) {
      const scaled = scaledWeight(weight);
      const { level, inverseWidth } = grid.minifloat
        ? byArithmetic(grid.minifloat, scaled)
        : byThresholds(grid, scaled);
      return {
        value: fround(level * scaleOf(weight)),
        stepError: fround(fround(scaled - level) * inverseWidth),
      };
    },
    code(weight) {
      const scaled = scaledWeight(weight);
      if (!grid.minifloat) return levelIndex(grid, scaled);
      const level = roundToMinifloat(grid.minifloat, scaled);
      const magnitude = grid.levels.indexOf(Math.abs(level)) - grid.levels.indexOf(0);
      const negativeSign = level < 0 || Object.is(level, -0);
      return magnitude + (negativeSign ? minifloatSignBit(grid) : 0);
    },
  };
}

/** A grid of levels with one scale or two (sections 4 and 5.1). */
export function makeGridQuantizer(
  rule: Extract<Rule, { kind: 'grid' }>,
  range: FixedRange,
  dtype: ScaleDtype,
  tensor?: TensorRange,
): GroupQuantizer {
  const { grid, scaling } = rule;
  const tensorScale = tensorScaleOf(rule, tensor);
  const [positive, negative] = scalesOf(grid, rule, range, dtype, tensorScale ?? 1);
  const scaleOf = (weight: number) => {
    const stored = weight < 0 ? negative.value : positive.value;
    return tensorScale === undefined ? stored : saturateF32(fround(tensorScale * stored));
  };
  // bitsandbytes multiplies by the reciprocal of absmax and clamps; all others divide.
  const reciprocal = fround(1 / Math.max(positive.value, fround(1e-38)));
  const scaledWeight = (weight: number) =>
    scaling === 'absmax-reciprocal'
      ? clamp(fround(weight * reciprocal), -1, 1)
      : // A weight of −0 counts as +0 (microxcaling); a small negative one may become −0.
        fround(weight / divisorOf(scaleOf(weight))) + 0;
  return {
    scales: ruleProperties(rule).hasNegativeScales ? [positive, negative] : [positive],
    tensorScale,
    ...roundToGrid(grid, scaledWeight, scaleOf),
  };
}
