import { binaryExponent } from '../../formats/grid.js';
import type { ErrorSums } from '../types.js';

/** Words that a workgroup of `apply.wgsl` writes. */
export const SUM_WORDS = 16;

/** Sums of squares, in the order of the words: each has a largest magnitude, which the sum is relative to. */
const SQUARES = ['squaredError', 'squaredValue', 'squaredStepError', 'squaredUnderflow'] as const;
const COUNTS = ['underflow', 'clipped', 'badScales', 'oneSigned', 'notStraddling'] as const;

/**
 * A sum of squares from its share of the square of the largest one's power of two.
 * @param largest the largest magnitude that was squared
 */
export function unscaleSquares(relativeSum: number, largest: number): number {
  if (largest === 0 || !Number.isFinite(largest)) return largest * largest;
  return relativeSum * 2 ** (2 * binaryExponent(largest));
}

/** Folds what the workgroups of a chunk wrote, {@link SUM_WORDS} each. */
export function foldWorkgroupSums(words: Uint32Array): ErrorSums {
  const floats = new Float32Array(words.buffer, words.byteOffset, words.length);
  const sums = {
    squaredError: 0,
    squaredValue: 0,
    squaredStepError: 0,
    squaredUnderflow: 0,
    maxAbsError: 0,
    underflow: 0,
    clipped: 0,
    badScales: 0,
    oneSigned: 0,
    notStraddling: 0,
  };
  for (let at = 0; at < words.length; at += SUM_WORDS) {
    SQUARES.forEach((sum, i) => (sums[sum] += unscaleSquares(floats[at + 4 + i], floats[at + i])));
    COUNTS.forEach((count, i) => (sums[count] += words[at + 8 + i]));
    if (words[at + 13] > 0) sums.squaredError = sums.squaredValue = NaN;
    sums.maxAbsError = Math.max(sums.maxAbsError, floats[at]);
  }
  return sums;
}
