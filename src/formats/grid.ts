import { float32OfOrder, orderOfFloat32, roundHalfEven } from './float32.js';
import type { BlockChoice, Grid, Minifloat } from './types.js';

/**
 * Index of the level nearest to y, the lower one where the f32 distances are equal: what an argmin
 * over an ascending f32 table gives (AFPQ, section 5.1; distances are rounded to f32, which matters
 * next to a midpoint).
 */
function findNearestLevelLowerTie(levels: Float32Array, y: number): number {
  let best = 0;
  let bestDistance = Infinity;
  for (let i = 0; i < levels.length; i++) {
    const distance = Math.abs(Math.fround(y - levels[i]));
    if (distance < bestDistance) {
      best = i;
      bestDistance = distance;
    }
  }
  return best;
}

/**
 * Thresholds of a rounding rule: for each level but the last the largest f32 that rounds to it or
 * to a lower one. `levelIndex` must not decrease with y; bisection over all f32 values makes the
 * thresholds agree with it everywhere.
 */
function findThresholds(levels: Float32Array, levelIndex: (y: number) => number): Float32Array {
  const thresholds = new Float32Array(levels.length - 1);
  for (let i = 0; i < thresholds.length; i++) {
    let below = orderOfFloat32(levels[i]);
    let above = orderOfFloat32(levels[i + 1]);
    while (above - below > 1) {
      const middle = Math.floor((below + above) / 2);
      if (levelIndex(float32OfOrder(middle)) <= i) below = middle;
      else above = middle;
    }
    thresholds[i] = float32OfOrder(below);
  }
  return thresholds;
}

/** The f32 just below a threshold: for ties that go to the upper level. */
function previousFloat32(value: number): number {
  return float32OfOrder(orderOfFloat32(value) - 1);
}

/** A grid whose ties go to the lower level, as AFPQ's code has it. */
export function makeGridWithLowerTies(
  levels: readonly number[],
  divisor: number,
  minifloat?: Minifloat,
): Grid {
  const values = Float32Array.from(levels);
  return Object.freeze({
    levels: values,
    divisor,
    thresholds: findThresholds(values, (y) => findNearestLevelLowerTie(values, y)),
    tieRule: 'halfway goes to the lower level',
    minifloat,
  });
}

/**
 * A grid decided by f32 midpoints: at or above goes up (`upper`, straight-through quantizers,
 * section 5.3), or at or below stays down (`lower`, bitsandbytes).
 */
export function makeGridWithMidpoints(
  levels: readonly number[],
  divisor: number,
  ties: 'upper' | 'lower',
): Grid {
  const values = Float32Array.from(levels);
  const thresholds = new Float32Array(values.length - 1);
  for (let i = 0; i < thresholds.length; i++) {
    const middle = Math.fround(Math.fround(values[i] + values[i + 1]) / 2);
    thresholds[i] = ties === 'lower' ? middle : previousFloat32(middle);
  }
  const tieRule = `halfway goes to the ${ties} level`;
  return Object.freeze({ levels: values, divisor, thresholds, tieRule });
}

/**
 * A grid whose levels are the images of whole numbers that a rule rounds to.
 * @param levelIndex place of the level that an f32 gets; must not decrease
 */
export function makeGridByRule(
  levels: readonly number[],
  divisor: number,
  levelIndex: (y: number) => number,
  tieRule: string,
): Grid {
  const values = Float32Array.from(levels);
  return Object.freeze({
    levels: values,
    divisor,
    thresholds: findThresholds(values, levelIndex),
    tieRule,
  });
}

/** The different grids among a block's choices, in their order: what is stored is a place among them. */
export function listGrids(choices: readonly BlockChoice[]): readonly Grid[] {
  return [...new Set(choices.map(({ grid }) => grid))];
}

/** Exponent of the binade that a positive number lies in: ⌊log2 x⌋, exact. */
export function binaryExponent(x: number): number {
  let exponent = Math.floor(Math.log2(x));
  if (2 ** exponent > x) exponent--;
  if (2 ** (exponent + 1) <= x) exponent++;
  return exponent;
}

/** Step of a minifloat at y: the distance of the values around it; the last one's beyond the end. */
export function findMinifloatStep(format: Minifloat, y: number): number {
  const magnitude = Math.min(Math.abs(y), format.largest);
  // At the very end the interval is the one below.
  const exponent = magnitude > 0 ? binaryExponent(magnitude) : format.minExponent;
  return 2 ** (Math.max(exponent, format.minExponent) - format.fractionBits);
}

/** Rounds to a minifloat value; the ties rule is the format's. */
export function roundToMinifloat(format: Minifloat, y: number): number {
  const step = findMinifloatStep(format, y);
  const quotient = y / step;
  let rounded = roundHalfEven(quotient);
  if (format.ties === 'lower' && quotient - rounded === -0.5) rounded -= 1;
  if (format.ties === 'away' && Math.abs(quotient - rounded) === 0.5) {
    rounded = Math.sign(quotient) * Math.ceil(Math.abs(quotient));
  }
  const value = Math.min(Math.max(rounded * step, -format.largest), format.largest);
  // AFPQ's table has one zero; the other formats keep the sign of −0, which has a code of its own.
  return format.ties === 'lower' ? value + 0 : value;
}

/** All values of a minifloat, ascending, zero once. */
export function listMinifloatLevels(format: Minifloat): number[] {
  const positive: number[] = [];
  let value = 0;
  while (value < format.largest) {
    value += findMinifloatStep(format, value);
    positive.push(value);
  }
  return [...positive.map((level) => -level).reverse(), 0, ...positive];
}

/**
 * The sign bit of a minifloat's codes: magnitudes ascend with the bits below it. The grid's levels are
 * all values of the minifloat.
 */
export function minifloatSignBit({ levels }: Grid): number {
  const magnitudes = (levels.length + 1) / 2;
  return 2 ** Math.ceil(Math.log2(magnitudes));
}

/** A grid of all values of a minifloat. */
export function makeMinifloatGrid(format: Minifloat): Grid {
  const levels = listMinifloatLevels(format);
  if (format.ties === 'lower') return makeGridWithLowerTies(levels, format.largest, format);
  const values = Float32Array.from(levels);
  const indexOf = new Map(levels.map((level, index) => [level, index]));
  const tieRule =
    format.ties === 'even' ? 'halfway goes to the even fraction' : 'halfway goes away from zero';
  return Object.freeze({
    levels: values,
    divisor: format.largest,
    thresholds: findThresholds(values, (y) => indexOf.get(roundToMinifloat(format, y) + 0)!),
    tieRule,
    minifloat: Object.freeze(format),
  });
}
