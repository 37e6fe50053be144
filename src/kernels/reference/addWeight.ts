import { CLIPPED_STEP_ERROR, RAW } from '../types.js';

/** Adds one weight to the sums. @param lane index within the group mod 4 */
export function addWeight(
  raw: Float64Array,
  lane: number,
  weight: number,
  value: number,
  stepError: number,
): void {
  const error = value - weight;
  const squared = error * error;
  raw[RAW.error + lane] += squared;
  raw[RAW.value + lane] += value * value;
  raw[RAW.step + lane] += stepError * stepError;
  if (Math.abs(error) > raw[RAW.maxError]) raw[RAW.maxError] = Math.abs(error);
  if (value === 0 && weight !== 0) {
    raw[RAW.underflow]++;
    raw[RAW.underflowError + lane] += squared;
  }
  if (Math.abs(stepError) > CLIPPED_STEP_ERROR) raw[RAW.clipped]++;
}
