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

/** Two-pass moments of the finite ones among f32 values. */
export function momentsOfFinite(values: Float32Array): Moments {
  let count = 0;
  let sum = 0;
  for (let i = 0; i < values.length; i++) {
    if (!Number.isFinite(values[i])) continue;
    count++;
    sum += values[i];
  }
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
