// Number types of a few bits by their definitions: every value is enumerated, and the nearest one is looked for among
// all of them. Shares nothing with src.

/** All values ≥ 0 of a small float, ascending: exponents from `minExponent` on, subnormal numbers below. */
export function listMagnitudes(
  exponentBits: number,
  fractionBits: number,
  bias: number,
  largest: number,
): number[] {
  const values: number[] = [];
  for (let exponent = 0; exponent < 2 ** exponentBits; exponent++) {
    for (let fraction = 0; fraction < 2 ** fractionBits; fraction++) {
      const significand = (exponent === 0 ? 0 : 1) + fraction / 2 ** fractionBits;
      const value = significand * 2 ** (Math.max(exponent, 1) - bias);
      if (value <= largest) values.push(value);
    }
  }
  return values;
}

export const E2M1 = listMagnitudes(2, 1, 1, 6);
export const E4M3 = listMagnitudes(4, 3, 7, 448);
export const E5M2 = listMagnitudes(5, 2, 15, 57344);
/** Powers of two that E8M0 holds. */
export const E8M0 = Array.from({ length: 255 }, (_, code) => 2 ** (code - 127));

/** Of two values that are equally near: the one whose place in its list is even, or the larger, or the smaller. */
export type Ties = 'even' | 'up' | 'down';

/** The nearest of ascending values, all distances exact or rounded alike; beyond the ends the end. */
export function nearestPlace(values: readonly number[], x: number, ties: Ties): number {
  let best = 0;
  for (let place = 1; place < values.length; place++) {
    const nearer = Math.abs(values[place] - x) - Math.abs(values[best] - x);
    const wins = ties === 'up' || (ties === 'even' && place % 2 === 0);
    if (nearer < 0 || (nearer === 0 && wins)) best = place;
  }
  return best;
}

export function nearest(values: readonly number[], x: number, ties: Ties): number {
  return values[nearestPlace(values, x, ties)];
}

/** The nearest signed value by magnitude: ties to the even place, or away from zero. */
export function nearestSigned(
  magnitudes: readonly number[],
  x: number,
  ties: 'even' | 'away',
): number {
  const level = nearest(magnitudes, Math.abs(x), ties === 'away' ? 'up' : 'even');
  return x < 0 ? -level : level;
}

export function largestMagnitude(weights: readonly number[]): number {
  return weights.reduce((largest, weight) => Math.max(largest, Math.abs(weight)), 0);
}
