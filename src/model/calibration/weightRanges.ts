import type { NumberFormat } from '../../formats/types.js';

const { fround } = Math;

/** Largest magnitude of each input over rows of several matrices [outputs × inputs]: f32 [inputs]. */
export function largestMagnitudes(matrices: readonly Float32Array[], inputs: number): Float32Array {
  const largest = new Float32Array(inputs);
  for (const weights of matrices) {
    for (let at = 0; at < weights.length; at++) {
      const size = Math.abs(weights[at]);
      if (size > largest[at % inputs]) largest[at % inputs] = size;
    }
  }
  return largest;
}

/** Largest less smallest weight of each input over rows of several matrices: f32 [inputs]. */
export function spans(matrices: readonly Float32Array[], inputs: number): Float32Array {
  const low = new Float32Array(inputs).fill(Infinity);
  const high = new Float32Array(inputs).fill(-Infinity);
  for (const weights of matrices) {
    for (let at = 0; at < weights.length; at++) {
      const input = at % inputs;
      low[input] = Math.min(low[input], weights[at]);
      high[input] = Math.max(high[input], weights[at]);
    }
  }
  return high.map((value, input) => value - low[input]);
}

/**
 * Mean over all outputs of |w| / (largest |w| of its quantization group + 1e-6), for each input (AutoAWQ's
 * `w_mean`): f32 [inputs].
 */
export function meanRelative(
  matrices: readonly Float32Array[],
  inputs: number,
  { group }: NumberFormat,
): Float32Array {
  const size = group.kind === 'columns' ? Math.min(group.size, inputs) : inputs;
  const sums = new Float64Array(inputs);
  let rows = 0;
  for (const weights of matrices) {
    rows += weights.length / inputs;
    for (let start = 0; start < weights.length;) {
      const row = Math.floor(start / inputs);
      const end = Math.min(start + size, (row + 1) * inputs);
      let largest = 0;
      for (let at = start; at < end; at++) largest = Math.max(largest, Math.abs(weights[at]));
      const divisor = fround(largest + fround(1e-6));
      for (let at = start; at < end; at++) {
        sums[at % inputs] += fround(Math.abs(weights[at]) / divisor);
      }
      start = end;
    }
  }
  return Float32Array.from(sums, (sum) => sum / rows);
}
