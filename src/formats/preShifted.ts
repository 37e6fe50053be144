// Exponent biases of LLM-FP4 (algorithms 4.2 and 10). A bias is a real number: the scale of a float is a power of two
// of it, and so the largest value is (2 − 2^−m)·2^(2^e − 1 − bias).
import type { Minifloat } from './types.js';
import { roundHalfEven } from './float32.js';

/** A small float with the number of its exponent bits, which its levels alone do not say. */
export interface BiasedFloat {
  readonly levels: Minifloat;
  readonly exponentBits: number;
}

/** The largest value at bias 0. */
function largestUnbiased({ levels, exponentBits }: BiasedFloat): number {
  return (2 - 2 ** -levels.fractionBits) * 2 ** (2 ** exponentBits - 1);
}

/** The bias that puts a magnitude onto the largest value; +∞ of 0. */
export function biasOf(format: BiasedFloat, magnitude: number): number {
  return Math.log2(largestUnbiased(format)) - Math.log2(magnitude);
}

/** The f32 scale of the levels that a bias stands for; 0 of +∞. */
export function scaleOfBias(format: BiasedFloat, bias: number): number {
  return Math.fround((largestUnbiased(format) / format.levels.largest) * 2 ** -bias);
}

/**
 * Biases of channels as far as they are pre-shifted: a real one of the tensor plus whole numbers from 0 to
 * 2^e − 1, which can be moved into the weights. Both sides are rounded before they are compared, as in the
 * original's code.
 * @param biases of the channels, see {@link biasOf}
 * @param tensorBias of all
 * @returns f32 scales of the channels
 */
export function preShiftedScales(
  format: BiasedFloat,
  biases: readonly number[],
  tensorBias: number,
): Float32Array {
  const least = roundHalfEven(tensorBias);
  const most = least + 2 ** format.exponentBits - 1;
  return Float32Array.from(biases, (bias) => {
    const shifted = Math.min(Math.max(roundHalfEven(bias), least), most);
    return scaleOfBias(format, shifted - least + tensorBias);
  });
}

/**
 * Pre-shifted scales that follow from what calibration saw of each channel: the tensor's bias is that of the
 * largest magnitude. Where all are 0, so are the scales.
 * @param magnitudes the largest of each channel
 */
export function scalesOfChannels(format: BiasedFloat, magnitudes: Float32Array): Float32Array {
  const biases = Array.from(magnitudes, (magnitude) => biasOf(format, magnitude));
  const least = Math.min(...biases);
  if (least === Infinity) return new Float32Array(magnitudes.length);
  return preShiftedScales(format, biases, least);
}
