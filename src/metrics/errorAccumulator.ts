import { mapSums, mergeErrorSums, type ErrorSums, type WeightSums } from '../kernels/types.js';
import { measureErrors, type ErrorMeasures } from './measures.js';

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

  /** Weights that are numbers. */
  get finite(): number {
    return this.elements - this.nonFinite;
  }
}

/** Error sums of a tensor in one format. Merge chunks in their order: f64 addition has one result then. */
export class ErrorAccumulator {
  private merged = mapSums(() => 0);

  get sums(): ErrorSums {
    return this.merged;
  }

  add(sums: ErrorSums): void {
    this.merged = mergeErrorSums(this.merged, sums);
  }

  /** The measures over these weights. */
  measures(weights: WeightAccumulator): ErrorMeasures {
    return measureErrors(this.merged, weights);
  }
}
