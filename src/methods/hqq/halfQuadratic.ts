import { roundHalfEven } from '../../formats/float32.js';
import type { ScaleDtype } from '../../formats/types.js';
import { findGroupRange } from '../../kernels/reference/groupQuantizer.js';
import { storeScale } from '../../kernels/reference/scales.js';

const { fround } = Math;

/** Rounds at most. */
export const ROUNDS = 20;
/** The error is measured by Σ|w − r|^p, whose proximal operator pulls small errors to 0 (p < 1). */
const NORM = 0.7;
const FIRST_BETA = 10;
const BETA_GROWTH = 1.01;
/** Codes per unit of weight at most, so that f16 holds the scale of a group of equal weights. */
const LARGEST_MULTIPLIER = 2e4;

/** β of each round: what the proximal operator subtracts is |x|^(p−1)/β. */
const BETAS = Array.from({ length: ROUNDS }, (_, round) => {
  let beta = FIRST_BETA;
  for (let i = 0; i < round; i++) beta *= BETA_GROWTH;
  return beta;
});

/** Errors below |x|^(2−p) = 1/β shrink to 0; a little less than that, so that rounding decides nothing. */
const VANISHING = BETAS.map((beta) => 0.999 * Math.pow(1 / beta, 1 / (2 - NORM)));

/** sign(x)·max(|x| − |x|^(p−1)/β, 0), in f32. */
export function shrink(x: number, round: number): number {
  const magnitude = Math.abs(x);
  // Of ordinary weights all errors end here; powers take long.
  if (magnitude < VANISHING[round]) return 0;
  const power = fround(Math.pow(magnitude, fround(NORM - 1)));
  const rest = Math.max(fround(magnitude - fround(fround(1 / BETAS[round]) * power)), 0);
  return x < 0 ? -rest : rest;
}

/**
 * Half-quadratic quantization of one group (HQQ, methods 17.3): q = clamp(⌊w·m + z⌉), w ≈ (q − z)/m.
 * The multiplier m follows from the extremes; z, which stays a float, is improved in rounds. f32, as the
 * original's code on a CPU; means are added in f64.
 */
export class HalfQuadraticGroup {
  private readonly highestCode: number;
  private readonly multiplier: number;
  private zero: number;

  /** @param weights of one group, finite */
  constructor(
    private readonly weights: Float32Array,
    bits: number,
  ) {
    this.highestCode = 2 ** bits - 1;
    const { lo, hi } = findGroupRange(weights, true);
    this.multiplier = Math.min(fround(this.highestCode / fround(hi - lo)), LARGEST_MULTIPLIER);
    this.zero = fround(-lo * this.multiplier);
  }

  private code(weight: number): number {
    const { multiplier, zero, highestCode } = this;
    const code = roundHalfEven(fround(fround(weight * multiplier) + zero));
    return Math.min(Math.max(code, 0), highestCode);
  }

  /** Improves the zero point once. @returns Σ|w − r| of the one before */
  improve(round: number): number {
    const { weights, multiplier, zero } = this;
    let [errors, zeros] = [0, 0];
    for (const weight of weights) {
      const code = this.code(weight);
      const error = fround(weight - fround(fround(code - zero) / multiplier));
      errors += Math.abs(error);
      const target = fround(weight - shrink(error, round));
      zeros += fround(code - fround(target * multiplier));
    }
    this.zero = fround(zeros / weights.length);
    return errors;
  }

  /**
   * Replaces the weights by what their codes decode to with scale and zero point as stored.
   * @returns Σ|ŵ − w|
   */
  replaceWeights(dtype: ScaleDtype): number {
    const { weights, zero } = this;
    const scale = storeScale(fround(1 / this.multiplier), dtype).value;
    // A zero point may be negative, which scales are not.
    const magnitude = storeScale(Math.abs(zero), dtype).value;
    const storedZero = zero < 0 ? -magnitude : magnitude;
    let errors = 0;
    for (let i = 0; i < weights.length; i++) {
      const value = fround(fround(this.code(weights[i]) - storedZero) * scale);
      errors += Math.abs(value - weights[i]);
      weights[i] = value;
    }
    return errors;
  }
}
