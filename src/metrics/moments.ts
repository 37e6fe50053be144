import { NO_MOMENTS, type Moments } from '../kernels/statistics/moments.js';

/**
 * Two-pass moments of weighted values: exact to f64 rounding.
 * @param counts how often each of the values occurs
 */
export function computeMoments(values: Float64Array, counts: Float64Array): Moments {
  let count = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    count += counts[i];
    sum += values[i] * counts[i];
  }
  if (count === 0) return NO_MOMENTS;
  const mean = sum / count;
  let m2 = 0;
  let m3 = 0;
  let m4 = 0;
  for (let i = 0; i < values.length; i++) {
    const n = counts[i];
    const d = values[i] - mean;
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
