/**
 * What an error of weights does to outputs, in two parts (dINT, arXiv 2311.05161, equation 4): ŵ − w = d_u + d_r, where
 * d_u = −w of weights that become zero and d_r is the rest. Their sum differs from the whole by 2·Σ(x·d_u)(x·d_r).
 */
export interface OutputErrorSplit {
  /** Σ(x·d_u)² over rows and outputs. */
  readonly squaredUnderflow: number;
  /** Σ(x·d_r)². */
  readonly squaredRounding: number;
}

/**
 * Splits the error of weights in place.
 * @param stored the weights; becomes d_u
 * @param changed what they are replaced by; becomes d_r
 * @returns whether any weight became zero
 */
export function splitErrors(stored: Float32Array, changed: Float32Array): boolean {
  let underflows = false;
  for (let i = 0; i < stored.length; i++) {
    const value = stored[i];
    if (changed[i] === 0 && value !== 0) {
      underflows = true;
      stored[i] = -value;
    } else {
      stored[i] = 0;
      changed[i] -= value;
    }
  }
  return underflows;
}
