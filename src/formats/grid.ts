import { float32OfOrder, orderOfFloat32 } from './float32.js';
import type { Grid } from './types.js';

/**
 * Index of the level nearest to y, the lower one where the f32 distances are equal: what an argmin
 * over an ascending f32 table gives (AFPQ, section 5.1; distances are rounded to f32, which matters
 * next to a midpoint).
 */
export function nearestLevelLowerTie(levels: Float32Array, y: number): number {
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
export function thresholdsOf(
  levels: Float32Array,
  levelIndex: (y: number) => number,
): Float32Array {
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

/** A grid whose ties go to the lower level, as AFPQ's code has it. */
export function gridWithLowerTies(levels: readonly number[], divisor: number): Grid {
  const values = Float32Array.from(levels);
  return Object.freeze({
    levels: values,
    divisor,
    thresholds: thresholdsOf(values, (y) => nearestLevelLowerTie(values, y)),
    tieRule: 'halfway goes to the lower level',
  });
}
