import type { ErrorSums, WeightSums } from '../kernels/types.js';
import type { ErrorMeasures } from './types.js';

/** Sums over the weights of a tensor, whatever the format. Merge chunks in their order. */
export class WeightAccumulator {
  elements = 0;
  nonFinite = 0;
  /** Row-major index of the first NaN or ±Inf in the tensor, or −1. */
  firstNonFinite = -1;
  zeros = 0;
  sumSquares = 0;
  min = Infinity;
  max = -Infinity;

  /** @param indexOf row-major index in the tensor of an element of the chunk; default: chunks follow one another */
  add(sums: WeightSums, indexOf = (element: number) => this.elements + element): void {
    if (sums.firstNonFinite >= 0) {
      const index = indexOf(sums.firstNonFinite);
      if (this.firstNonFinite < 0 || index < this.firstNonFinite) this.firstNonFinite = index;
    }
    this.elements += sums.elements;
    this.nonFinite += sums.nonFinite;
    this.zeros += sums.zeros;
    this.sumSquares += sums.sumSquares;
    this.min = Math.min(this.min, sums.min);
    this.max = Math.max(this.max, sums.max);
  }

  /** Merges another tensor's sums, for totals over several tensors. */
  merge(other: WeightAccumulator): void {
    this.elements += other.elements;
    this.nonFinite += other.nonFinite;
    this.zeros += other.zeros;
    this.sumSquares += other.sumSquares;
    this.min = Math.min(this.min, other.min);
    this.max = Math.max(this.max, other.max);
  }

  get finite(): number {
    return this.elements - this.nonFinite;
  }
}

/** Error sums of a tensor in one format. Merge chunks in their order: f64 addition has one result then. */
export class ErrorAccumulator {
  squaredError = 0;
  squaredValue = 0;
  squaredStepError = 0;
  squaredUnderflow = 0;
  maxAbsError = 0;
  underflow = 0;
  clipped = 0;
  badScales = 0;
  oneSigned = 0;
  notStraddling = 0;

  add(sums: ErrorSums): void {
    this.squaredError += sums.squaredError;
    this.squaredValue += sums.squaredValue;
    this.squaredStepError += sums.squaredStepError;
    this.squaredUnderflow += sums.squaredUnderflow;
    this.maxAbsError = Math.max(this.maxAbsError, sums.maxAbsError);
    this.underflow += sums.underflow;
    this.clipped += sums.clipped;
    this.badScales += sums.badScales;
    this.oneSigned += sums.oneSigned;
    this.notStraddling += sums.notStraddling;
  }

  /** The measures over these weights; see {@link ErrorMeasures}. 0/0 counts as no error. */
  measures(weights: WeightAccumulator): ErrorMeasures {
    const n = weights.finite;
    const nonzero = n - weights.zeros;
    // Σwŵ = (Σw² + Σŵ² − Σ(ŵ−w)²)/2: nothing cancels as long as the error is the small part.
    const dot = (weights.sumSquares + this.squaredValue - this.squaredError) / 2;
    const norms = Math.sqrt(weights.sumSquares * this.squaredValue);
    const mse = n > 0 ? this.squaredError / n : 0;
    return {
      mse,
      rmse: Math.sqrt(mse),
      sqnrDb:
        this.squaredError === 0
          ? Infinity
          : 10 * Math.log10(weights.sumSquares / this.squaredError),
      cosine: norms > 0 ? Math.min(1, Math.max(-1, dot / norms)) : this.squaredError === 0 ? 1 : 0,
      underflowMse: n > 0 ? this.squaredUnderflow / n : 0,
      maxAbsError: this.maxAbsError,
      rmseOverStep: n > 0 ? Math.sqrt(this.squaredStepError / n) : 0,
      underflowFraction: nonzero > 0 ? this.underflow / nonzero : 0,
      clippedFraction: n > 0 ? this.clipped / n : 0,
      nonFinite: weights.nonFinite,
    };
  }
}
