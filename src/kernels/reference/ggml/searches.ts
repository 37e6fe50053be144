import { clamp, nearestInteger } from './float32.js';

// The searches that find a sub-block's scale (and minimum). Sums run over the weights in order, in
// f32: their rounding is part of the result.

const { abs, fround } = Math;

/** Below this magnitude a sub-block counts as zero. */
export const NEGLIGIBLE = fround(1e-15);
/** Distance between the candidates of a search, in levels. */
const CANDIDATE_STEP = fround(0.1);

/** The first weight of largest magnitude, with its sign; +0 for zeros. */
export function extremeWeight(weights: Float32Array): number {
  let extreme = 0;
  for (const weight of weights) if (abs(weight) > abs(extreme)) extreme = weight;
  return extreme;
}

/** A fitted sub-block. `codes` count from the lowest level, 0. */
export interface Fit {
  readonly scale: number;
  readonly codes: Uint8Array;
}

/** Σ x²·x·l and Σ x²·l² over levels l: the least-squares scale, weighted by x², is their ratio. */
function squareWeightedSums(weights: Float32Array, levels: ArrayLike<number>) {
  let xl = 0;
  let l2 = 0;
  weights.forEach((x, i) => {
    const importance = fround(x * x);
    xl = fround(xl + fround(fround(importance * x) * levels[i]));
    l2 = fround(l2 + fround(fround(importance * levels[i]) * levels[i]));
  });
  return { xl, l2 };
}

/**
 * Of the least-squares scales for level ranges from half−0.9 to half+0.9, the one that fits best
 * (q6_k).
 * @param half levels are −half … half−1
 */
export function searchScale(weights: Float32Array, half: number): Fit {
  const extreme = extremeWeight(weights);
  if (abs(extreme) < NEGLIGIBLE) return { scale: 0, codes: new Uint8Array(weights.length) };
  const levelsAt = (step: number) => {
    const range = fround(half + fround(CANDIDATE_STEP * step));
    const inverse = fround(-range / extreme);
    return Int16Array.from(weights, (x) =>
      clamp(nearestInteger(fround(inverse * x)), -half, half - 1),
    );
  };
  let levels = levelsAt(0);
  const { xl, l2 } = squareWeightedSums(weights, levels);
  let scale = l2 === 0 ? 0 : fround(xl / l2);
  let best = fround(scale * xl);
  for (let step = -9; step <= 9; step++) {
    if (step === 0) continue;
    const candidate = levelsAt(step);
    const { xl, l2 } = squareWeightedSums(weights, candidate);
    if (l2 > 0 && fround(xl * xl) > fround(best * l2)) {
      levels = candidate;
      scale = fround(xl / l2);
      best = fround(scale * xl);
    }
  }
  return { scale, codes: Uint8Array.from(levels, (level) => level + half) };
}

/**
 * Coordinate descent (q3_k): each level in turn moves to where the others' least-squares scale puts
 * its weight, if that improves the fit; at most five rounds.
 */
export function descendScale(weights: Float32Array, half: number): Fit {
  const extreme = extremeWeight(weights);
  if (abs(extreme) < NEGLIGIBLE) return { scale: 0, codes: new Uint8Array(weights.length) };
  const levelOf = (scaled: number) => clamp(nearestInteger(scaled), -half, half - 1);
  const inverse = fround(-half / extreme);
  const levels = Int16Array.from(weights, (x) => levelOf(fround(inverse * x)));
  let { xl, l2 } = squareWeightedSums(weights, levels);
  let changed = true;
  for (let round = 0; round < 5 && changed; round++) {
    changed = false;
    weights.forEach((x, i) => {
      const importance = fround(x * x);
      const weighted = fround(importance * x);
      const level = levels[i];
      let otherXl = fround(xl - fround(weighted * level));
      let otherL2 = fround(l2 - fround(fround(importance * level) * level));
      if (!(otherXl > 0)) return;
      const moved = levelOf(fround(fround(x * otherL2) / otherXl));
      if (moved === level) return;
      otherXl = fround(otherXl + fround(weighted * moved));
      otherL2 = fround(otherL2 + fround(fround(importance * moved) * moved));
      const gained = fround(fround(otherXl * otherXl) * l2);
      if (!(otherL2 > 0 && gained > fround(fround(xl * xl) * otherL2))) return;
      levels[i] = moved;
      xl = otherXl;
      l2 = otherL2;
      changed = true;
    });
  }
  return {
    scale: l2 > 0 ? fround(xl / l2) : 0,
    codes: Uint8Array.from(levels, (level) => level + half),
  };
}

/** How {@link searchScaleAndMin} goes about it. */
export interface ScaleAndMinSearch {
  /** Highest code; the lowest is 0. */
  readonly top: number;
  /** The first candidate's range, less `top`, and how many follow at 0.1 each. */
  readonly first: number;
  readonly steps: number;
  /** Minimise weighted absolute errors instead of squares. */
  readonly absolute: boolean;
}

export interface FitWithMin extends Fit {
  /** Magnitude of the (non-positive) value of code 0. */
  readonly min: number;
}

/**
 * Scale and minimum by weighted linear regression on the codes that each candidate range gives;
 * the best fit stays, and later candidates count from its minimum (q2_k, q4_k, q5_k).
 */
export function searchScaleAndMin(
  weights: Float32Array,
  importance: Float32Array,
  { top, first, steps, absolute }: ScaleAndMinSearch,
): FitWithMin {
  let sumW = importance[0];
  let sumX = fround(sumW * weights[0]);
  for (let i = 1; i < weights.length; i++) {
    sumW = fround(sumW + importance[i]);
    sumX = fround(sumX + fround(importance[i] * weights[i]));
  }
  const max = weights.reduce((most, x) => (x > most ? x : most));
  let min = weights.reduce((least, x) => (x < least ? x : least));
  if (min > 0) min = 0;
  if (max === min) return { scale: 0, min: 0 - min, codes: new Uint8Array(weights.length) };

  const codesFor = (inverse: number) =>
    Uint8Array.from(weights, (x) =>
      clamp(nearestInteger(fround(inverse * fround(x - min))), 0, top),
    );
  const errorOf = (candidate: Uint8Array, scale: number, low: number) =>
    weights.reduce((sum, x, i) => {
      const difference = fround(fround(fround(scale * candidate[i]) + low) - x);
      const cost = absolute ? abs(difference) : fround(difference * difference);
      return fround(sum + fround(importance[i] * cost));
    }, 0);

  let inverse = fround(top / fround(max - min));
  let scale = fround(1 / inverse);
  let codes = codesFor(inverse);
  let bestError = errorOf(codes, scale, min);
  for (let step = 0; step <= steps; step++) {
    const range = fround(fround(first + fround(CANDIDATE_STEP * step)) + top);
    inverse = fround(range / fround(max - min));
    const candidate = codesFor(inverse);
    let sumL = 0;
    let sumL2 = 0;
    let sumXL = 0;
    candidate.forEach((code, i) => {
      const weighted = fround(importance[i] * code);
      sumL = fround(sumL + weighted);
      sumL2 = fround(sumL2 + fround(weighted * code));
      sumXL = fround(sumXL + fround(weighted * weights[i]));
    });
    const determinant = fround(fround(sumW * sumL2) - fround(sumL * sumL));
    if (!(determinant > 0)) continue;
    let fitted = fround(fround(fround(sumW * sumXL) - fround(sumX * sumL)) / determinant);
    let low = fround(fround(fround(sumL2 * sumX) - fround(sumL * sumXL)) / determinant);
    if (low > 0) {
      low = 0;
      fitted = fround(sumXL / sumL2);
    }
    const error = errorOf(candidate, fitted, low);
    if (error < bestError) {
      bestError = error;
      codes = candidate;
      scale = fitted;
      min = low;
    }
  }
  return { scale, min: 0 - min, codes };
}
