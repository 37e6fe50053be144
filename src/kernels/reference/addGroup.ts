import { CLIPPED_STEP_ERROR, RAW } from '../types.js';

const { fround } = Math;

/** Weights whose step errors are summed in f32 before the sum is added in f64. */
const ADDED_IN_F32 = 256;
const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

const squareF32 = (x: number) => fround(x * x);

/**
 * Adds one group to the raw sums, in the order that {@link RAW} defines.
 * @param values dequantized weights
 * @param stepErrors their errors in widths of the interval between two levels
 */
export function addGroup(
  raw: Float64Array,
  weights: Float32Array,
  values: Float32Array,
  stepErrors: Float32Array,
): void {
  const whole = weights.length - (weights.length % 4);
  for (let start = 0; start < whole; start += ADDED_IN_F32) {
    addStepErrors(raw, stepErrors.subarray(start, Math.min(whole, start + ADDED_IN_F32)));
  }
  addStepErrors(raw, stepErrors.subarray(whole));
  for (let i = 0; i < weights.length; i += 4) {
    addPair(raw, 0, weights, values, i);
    addPair(raw, 1, weights, values, i + 1);
  }
  for (const stepError of stepErrors) {
    if (Math.abs(stepError) > CLIPPED_STEP_ERROR) raw[RAW.clipped]++;
  }
}

/** Sums that only inform (f32 in four lanes), limited to what an f32 holds. */
function addStepErrors(raw: Float64Array, stepErrors: Float32Array): void {
  const lanes = new Float32Array(4);
  stepErrors.forEach((stepError, i) => (lanes[i % 4] += squareF32(stepError)));
  const [a, b, c, d] = lanes.map((lane) => (lane > LARGEST_F32 ? LARGEST_F32 : lane));
  raw[RAW.step] += a + c;
  raw[RAW.step + 1] += b + d;
}

/** Adds the weights at i and i + 2, as far as there are any. */
function addPair(
  raw: Float64Array,
  lane: number,
  weights: Float32Array,
  values: Float32Array,
  i: number,
): void {
  let squaredError = 0;
  let squaredValue = 0;
  let squaredUnderflow = 0;
  for (let k = i; k < Math.min(i + 3, weights.length); k += 2) {
    const value = values[k];
    const error = value - weights[k];
    squaredError += error * error;
    squaredValue += value * value;
    if (Math.abs(error) > raw[RAW.maxError]) raw[RAW.maxError] = Math.abs(error);
    if (value === 0 && weights[k] !== 0) {
      raw[RAW.underflow]++;
      squaredUnderflow += error * error;
    }
  }
  raw[RAW.error + lane] += squaredError;
  raw[RAW.value + lane] += squaredValue;
  raw[RAW.underflowError + lane] += squaredUnderflow;
}
