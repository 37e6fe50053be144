import { NO_MOMENTS, type Moments } from '../kernels/statistics/moments.js';

/** Moments of the union of two sets. */
export function mergeMoments(a: Moments, b: Moments): Moments {
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

/** Two-pass moments of weighted values: exact to f64 rounding. */
export function momentsOf(values: Iterable<readonly [value: number, count: number]>): Moments {
  const pairs = [...values];
  let count = 0;
  let sum = 0;
  for (const [value, n] of pairs) {
    count += n;
    sum += value * n;
  }
  if (count === 0) return NO_MOMENTS;
  const mean = sum / count;
  let m2 = 0;
  let m3 = 0;
  let m4 = 0;
  for (const [value, n] of pairs) {
    const d = value - mean;
    m2 += d * d * n;
    m3 += d * d * d * n;
    m4 += d * d * d * d * n;
  }
  return { count, mean, m2, m3, m4 };
}

/** Population standard deviation, skewness and excess kurtosis; 0 where they are not defined. */
export function shapeOf({ count, m2, m3, m4 }: Moments) {
  const variance = count > 0 ? m2 / count : 0;
  return {
    std: Math.sqrt(variance),
    skewness: variance > 0 ? m3 / count / variance ** 1.5 : 0,
    kurtosis: variance > 0 ? m4 / count / variance ** 2 - 3 : 0,
  };
}
