/** Count, mean and central moments of a set of numbers; sets can be merged (Pébay, SAND2008-6212). */
export interface Moments {
  readonly count: number;
  readonly mean: number;
  /** Σ(x−mean)^k for k = 2, 3, 4. */
  readonly m2: number;
  readonly m3: number;
  readonly m4: number;
}

export const NO_MOMENTS: Moments = Object.freeze({ count: 0, mean: 0, m2: 0, m3: 0, m4: 0 });

/** What one pass over weights finds beside their moments, of the finite ones unless said. */
export interface WeightMoments {
  readonly moments: Moments;
  readonly min: number;
  readonly max: number;
  readonly zeros: number;
  readonly nan: number;
  readonly inf: number;
  /** Index of the first NaN or ±Inf, or −1. */
  readonly firstNonFinite: number;
}

/** Two-pass moments of f32 values. Leaves them as they are. */
export function weightMoments(values: Float32Array): WeightMoments {
  let min = Infinity;
  let max = -Infinity;
  let zeros = 0;
  let nan = 0;
  let inf = 0;
  let firstNonFinite = -1;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    if (!Number.isFinite(value)) {
      if (firstNonFinite < 0) firstNonFinite = i;
      if (Number.isNaN(value)) nan++;
      else inf++;
      continue;
    }
    sum += value;
    if (value === 0) zeros++;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  const moments = momentsAround(values, sum, values.length - nan - inf);
  return { moments, min, max, zeros, nan, inf, firstNonFinite };
}

function momentsAround(values: Float32Array, sum: number, count: number): Moments {
  if (count === 0) return NO_MOMENTS;
  const mean = sum / count;
  let m2 = 0;
  let m3 = 0;
  let m4 = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    const d = values[i] - mean;
    m2 += d * d;
    m3 += d * d * d;
    m4 += d * d * d * d;
  }
  return { count, mean, m2, m3, m4 };
}

/** Moments of the union of two sets. */
function mergeMoments(a: Moments, b: Moments): Moments {
  if (a.count === 0) return b;
  if (b.count === 0) return a;
  const count = a.count + b.count;
  const delta = b.mean - a.mean;
  const ratio = delta / count;
  return {
    count,
    mean: a.mean + ratio * b.count,
    m2: a.m2 + b.m2 + delta * ratio * a.count * b.count,
    m3:
      a.m3 +
      b.m3 +
      delta * ratio ** 2 * a.count * b.count * (a.count - b.count) +
      3 * ratio * (a.count * b.m2 - b.count * a.m2),
    m4:
      a.m4 +
      b.m4 +
      delta * ratio ** 3 * a.count * b.count * (a.count ** 2 - a.count * b.count + b.count ** 2) +
      6 * ratio ** 2 * (a.count ** 2 * b.m2 + b.count ** 2 * a.m2) +
      4 * ratio * (a.count * b.m3 - b.count * a.m3),
  };
}

/**
 * Moments and extremes of two parts of a tensor.
 * @param a the part in front; absent where there is none
 * @param first index of the first weight of `b`
 */
export function mergeWeightMoments(
  a: WeightMoments | undefined,
  b: WeightMoments,
  first: number,
): WeightMoments {
  const firstNonFinite = b.firstNonFinite < 0 ? -1 : first + b.firstNonFinite;
  if (!a) return { ...b, firstNonFinite };
  return {
    moments: mergeMoments(a.moments, b.moments),
    min: Math.min(a.min, b.min),
    max: Math.max(a.max, b.max),
    zeros: a.zeros + b.zeros,
    nan: a.nan + b.nan,
    inf: a.inf + b.inf,
    firstNonFinite: a.firstNonFinite < 0 ? firstNonFinite : a.firstNonFinite,
  };
}
