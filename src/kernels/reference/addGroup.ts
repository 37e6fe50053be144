import { CLIPPED_STEP_ERROR, RAW, SUM_RUN } from '../types.js';

const { fround } = Math;

const LARGEST_F32 = (2 - 2 ** -23) * 2 ** 127;

const squareF32 = (x: number) => fround(x * x);

/**
 * Adds one group to the raw sums, in the order that {@link RAW} defines.
 * @param values dequantized weights
 * @param stepErrors their errors in widths of the interval between two levels
 * @param width the distance between any two levels, where it is the same throughout
 */
export function addGroup(
  raw: Float64Array,
  weights: Float32Array,
  values: Float32Array,
  stepErrors: Float32Array,
  width?: number,
): void {
  const whole = weights.length - (weights.length % 4);
  const starts = Array.from({ length: Math.ceil(whole / SUM_RUN) }, (_, i) => i * SUM_RUN);
  if (whole < weights.length) starts.push(whole);
  starts.forEach((start, i) => {
    const part = (all: Float32Array) => all.subarray(start, starts[i + 1] ?? weights.length);
    addRun(raw, part(weights), part(values), part(stepErrors), width);
  });
  for (const stepError of stepErrors) {
    if (Math.abs(stepError) > CLIPPED_STEP_ERROR) raw[RAW.clipped]++;
  }
}

function addRun(
  raw: Float64Array,
  weights: Float32Array,
  values: Float32Array,
  stepErrors: Float32Array,
  width: number | undefined,
): void {
  const run = new Float64Array(RAW.length);
  for (let i = 0; i < weights.length; i += 4) {
    addPair(run, 0, weights, values, i);
    addPair(run, 1, weights, values, i + 1);
  }
  if (width === undefined) {
    addStepErrors(run, stepErrors);
  } else if (width > 0) {
    for (const lane of [0, 1]) run[RAW.step + lane] = run[RAW.error + lane] / (width * width);
  }
  const maxError = Math.max(raw[RAW.maxError], run[RAW.maxError]);
  run.forEach((sum, at) => (raw[at] += sum));
  raw[RAW.maxError] = maxError;
}

/** Sums that only inform (f32 in four lanes), limited to what an f32 holds. */
function addStepErrors(run: Float64Array, stepErrors: Float32Array): void {
  const lanes = new Float32Array(4);
  stepErrors.forEach((stepError, i) => (lanes[i % 4] += squareF32(stepError)));
  const [a, b, c, d] = lanes.map((lane) => (lane > LARGEST_F32 ? LARGEST_F32 : lane));
  run[RAW.step] += a + c;
  run[RAW.step + 1] += b + d;
}

/** Adds the weights at i and i + 2, as far as there are any. */
function addPair(
  run: Float64Array,
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
    // Not Math.max: an infinity of a block format minus itself is NaN.
    if (Math.abs(error) > run[RAW.maxError]) run[RAW.maxError] = Math.abs(error);
    if (value === 0 && weights[k] !== 0) {
      run[RAW.underflow]++;
      squaredUnderflow += error * error;
    }
  }
  run[RAW.error + lane] += squaredError;
  run[RAW.value + lane] += squaredValue;
  run[RAW.underflowError + lane] += squaredUnderflow;
}
