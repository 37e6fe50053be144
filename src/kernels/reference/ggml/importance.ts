import { nearestInteger } from './float32.js';
import { NEGLIGIBLE } from './searches.js';

// What ggml's quantizers do with an importance matrix (the functions *_impl of ggml-quants.c). f32, sums in order.

const { fround } = Math;

/** Σx² over weights. */
export function sumSquares(weights: Float32Array): number {
  let sum = 0;
  for (const x of weights) sum = fround(sum + fround(x * x));
  return sum;
}

/** What errors of weights count by: importance·√(meanSquare + x²). */
export function weighImportance(
  weights: Float32Array,
  importance: Float32Array,
  meanSquare: number,
): Float32Array {
  return weights.map((x, i) =>
    fround(importance[i] * fround(Math.sqrt(fround(meanSquare + fround(x * x))))),
  );
}

/** Σ over values, in order. */
export function sumOf(values: Float32Array): number {
  let sum = 0;
  for (const value of values) sum = fround(sum + value);
  return sum;
}

/** How scale and minimum are searched for where an importance matrix is there: ranges from top − 0.9 to top + 0.9. */
export const WEIGHTED_RANGE_SEARCH = {
  first: fround(-0.9),
  steps: 36,
  stride: fround(0.05),
  absolute: false,
} as const;

/** Coordinate descent at most so often. */
const ROUNDS = 5;

/**
 * Integers 0 … top for the scales or minima of a super-block's sub-blocks, and what one of them is worth: the
 * best of nine ranges by weighted squared error, then coordinate descent on the least-squares unit.
 * @param values not negative, as a rule
 * @param importance of each
 */
export function searchPositive(
  values: Float32Array,
  top: number,
  importance: Float32Array,
): { readonly codes: Uint8Array; readonly unit: number } {
  const codes = new Uint8Array(values.length);
  const largest = values.reduce((most, value) => (value > most ? value : most), 0);
  if (largest < NEGLIGIBLE) return { codes, unit: 0 };
  let inverse = fround(top / largest);
  values.forEach((value, i) => (codes[i] = nearestInteger(fround(inverse * value))));
  let bestError = errorOf(values, codes, fround(1 / inverse), importance);
  const codeOf = (scaled: number) => Math.min(top, nearestInteger(scaled));
  for (let step = -4; step <= 4; step++) {
    if (step === 0) continue;
    const candidate = fround(fround(fround(fround(0.1) * step) + top) / largest);
    const levels = Array.from(values, (value) => codeOf(fround(candidate * value)));
    const error = errorOf(values, levels, fround(1 / candidate), importance);
    if (error < bestError) {
      bestError = error;
      inverse = candidate;
    }
  }
  let [xl, l2] = [0, 0];
  values.forEach((value, i) => {
    const code = codeOf(fround(inverse * value));
    codes[i] = code;
    xl = fround(xl + fround(fround(importance[i] * value) * code));
    l2 = fround(l2 + fround(fround(importance[i] * code) * code));
  });
  let changed = true;
  for (let round = 0; round < ROUNDS && changed; round++) {
    changed = false;
    values.forEach((value, i) => {
      const weighted = fround(importance[i] * value);
      let otherXl = fround(xl - fround(weighted * codes[i]));
      let otherL2 = fround(l2 - fround(fround(importance[i] * codes[i]) * codes[i]));
      if (!(otherXl > 0 && otherL2 > 0)) return;
      const moved = codeOf(fround(fround(value * otherL2) / otherXl));
      if (moved === codes[i]) return;
      otherXl = fround(otherXl + fround(weighted * moved));
      otherL2 = fround(otherL2 + fround(fround(importance[i] * moved) * moved));
      const gained = fround(fround(otherXl * otherXl) * l2);
      if (!(gained > fround(fround(xl * xl) * otherL2))) return;
      codes[i] = moved;
      xl = otherXl;
      l2 = otherL2;
      changed = true;
    });
  }
  return { codes, unit: l2 > 0 ? fround(xl / l2) : 0 };
}

function errorOf(
  values: Float32Array,
  codes: ArrayLike<number>,
  unit: number,
  importance: Float32Array,
): number {
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const difference = fround(values[i] - fround(unit * codes[i]));
    sum = fround(sum + fround(fround(importance[i] * difference) * difference));
  }
  return sum;
}
