import { clamp, nearestInteger } from './float32.js';

/** Weights per super-block. */
export const SUPER_BLOCK = 256;

/** Calls `use` for each sub-block of `size` weights. */
export function forSubBlocks(
  weights: Float32Array,
  size: number,
  use: (weights: Float32Array, index: number) => void,
): void {
  for (let i = 0; i * size < weights.length; i++) {
    use(weights.subarray(i * size, (i + 1) * size), i);
  }
}

/**
 * Rounds the weights again with the scales and offsets as stored. Where a stored scale is 0 the
 * codes of the search stay.
 * @param levels the level that code 0 means, and the highest code
 */
export function requantize(
  weights: Float32Array,
  scales: Float32Array,
  offsets: Float32Array,
  { lowest, top }: { readonly lowest: number; readonly top: number },
  codes: Uint8Array,
): void {
  const size = weights.length / scales.length;
  weights.forEach((weight, i) => {
    const subBlock = Math.floor(i / size);
    if (scales[subBlock] === 0) return;
    const scaled = Math.fround(Math.fround(weight - offsets[subBlock]) / scales[subBlock]);
    codes[i] = clamp(nearestInteger(scaled), lowest, lowest + top) - lowest;
  });
}
