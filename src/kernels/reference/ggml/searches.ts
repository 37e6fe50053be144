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

/** What weights count by where nothing says what matters: x². */
export function squares(weights: Float32Array): Float32Array {
  return weights.map((x) => fround(x * x));
}

/** Σ importance·x·l and Σ importance·l² over levels l: the least-squares scale is their ratio. */
function weightedSums(
  weights: Float32Array,
  importance: Float32Array,
  levels: ArrayLike<number>,
): { xl: number; l2: number } {
  let xl = 0;
  let l2 = 0;
  for (let i = 0; i < weights.length; i++) {
    xl = fround(xl + fround(fround(importance[i] * weights[i]) * levels[i]));
    l2 = fround(l2 + fround(fround(importance[i] * levels[i]) * levels[i]));
  }
  return { xl, l2 };
}

/**
 * Of the least-squares scales for level ranges from half−0.9 to half+0.9, the one that fits best (q6_k; with
 * an importance matrix q4_0, q5_0 and q3_k, too).
 * @param half levels are −half … half−1
 */
export function searchScale(
  weights: Float32Array,
  half: number,
  importance: Float32Array = squares(weights),
): Fit {
  const extreme = extremeWeight(weights);
  if (abs(extreme) < NEGLIGIBLE) return { scale: 0, codes: new Uint8Array(weights.length) };
  let levels = new Int16Array(weights.length);
  let candidate = new Int16Array(weights.length);
  const findLevels = (step: number, into: Int16Array) => {
    const range = fround(half + fround(CANDIDATE_STEP * step));
    const inverse = fround(-range / extreme);
    for (let i = 0; i < weights.length; i++) {
      into[i] = clamp(nearestInteger(fround(inverse * weights[i])), -half, half - 1);
    }
    return weightedSums(weights, importance, into);
  };
  const { xl, l2 } = findLevels(0, levels);
  let scale = l2 === 0 ? 0 : fround(xl / l2);
  let best = fround(scale * xl);
  for (let step = -9; step <= 9; step++) {
    if (step === 0) continue;
    const { xl, l2 } = findLevels(step, candidate);
    if (l2 > 0 && fround(xl * xl) > fround(best * l2)) {
      [levels, candidate] = [candidate, levels];
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
  let { xl, l2 } = weightedSums(weights, squares(weights), levels);
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
  /** The first candidate's range, less `top`, an f32, and how many follow, `stride` levels apart. */
  readonly first: number;
  readonly steps: number;
  /** An f32; default: 0.1. */
  readonly stride?: number;
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
  { top, first, steps, stride = CANDIDATE_STEP, absolute }: ScaleAndMinSearch,
): FitWithMin {
  const count = weights.length;
  let [min, max] = [weights[0], weights[0]];
  let sumW = importance[0];
  let sumX = fround(sumW * weights[0]);
  for (let i = 1; i < count; i++) {
    if (weights[i] < min) min = weights[i];
    if (weights[i] > max) max = weights[i];
    sumW = fround(sumW + importance[i]);
    sumX = fround(sumX + fround(importance[i] * weights[i]));
  }
  if (min > 0) min = 0;
  if (max === min) return { scale: 0, min: -min, codes: new Uint8Array(count) };

  const findCodes = (inverse: number, into: Uint8Array) => {
    for (let i = 0; i < count; i++) {
      into[i] = clamp(nearestInteger(fround(inverse * fround(weights[i] - min))), 0, top);
    }
  };
  const errorOf = (candidate: Uint8Array, scale: number, low: number) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const difference = fround(fround(fround(scale * candidate[i]) + low) - weights[i]);
      const cost = absolute ? abs(difference) : fround(difference * difference);
      sum = fround(sum + fround(importance[i] * cost));
    }
    return sum;
  };

  let codes = new Uint8Array(count);
  let candidate = new Uint8Array(count);
  let inverse = fround(top / fround(max - min));
  let scale = fround(1 / inverse);
  findCodes(inverse, codes);
  let bestError = errorOf(codes, scale, min);
  for (let step = 0; step <= steps; step++) {
    const range = fround(fround(first + fround(stride * step)) + top);
    inverse = fround(range / fround(max - min));
    findCodes(inverse, candidate);
    let sumL = 0;
    let sumL2 = 0;
    let sumXL = 0;
    for (let i = 0; i < count; i++) {
      const weighted = fround(importance[i] * candidate[i]);
      sumL = fround(sumL + weighted);
      sumL2 = fround(sumL2 + fround(weighted * candidate[i]));
      sumXL = fround(sumXL + fround(weighted * weights[i]));
    }
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
      [codes, candidate] = [candidate, codes];
      scale = fitted;
      min = low;
    }
  }
  return { scale, min: -min, codes };
}
