import { orderedBits, valueOfOrderedBits } from '../kernels/statistics/valueOrder.js';
import { selectIndex } from './select.js';

/** Values that are kept, 64 MB; more are counted in two passes. */
const MAX_KEPT = 1 << 24;
const TABLE = 65536;

/** Counts by the lower half of the bits, of values with one upper half. */
interface Refinement {
  readonly upper: number;
  readonly lowers: Float64Array;
  /** Values below all of these. */
  readonly below: number;
}

/**
 * Quantiles of f32 values that come in parts: those at round(p·(n − 1)) of n sorted ones. Memory is
 * bounded: where there may be too many to be kept, all of them have to be added twice, in any order.
 * There must be no NaN.
 */
export class QuantileAccumulator {
  private readonly kept: Float32Array | undefined;
  private readonly uppers: Float64Array | undefined;
  private refinements: Refinement[] | undefined;
  private count = 0;

  /**
   * @param most values that there are at most
   * @param probabilities ascending
   */
  constructor(
    most: number,
    private readonly probabilities: readonly number[],
    maxKept = MAX_KEPT,
  ) {
    if (most <= maxKept) this.kept = new Float32Array(most);
    else this.uppers = new Float64Array(TABLE);
  }

  add(values: Float32Array): void {
    const { kept, uppers, refinements } = this;
    if (kept) {
      kept.set(values, this.count);
      this.count += values.length;
      return;
    }
    const bits = new Uint32Array(values.buffer, values.byteOffset, values.length);
    if (refinements) {
      for (let i = 0; i < bits.length; i++) {
        const order = orderedBits(bits[i]);
        for (const { upper, lowers } of refinements) {
          if (order >>> 16 === upper) lowers[order & 0xffff]++;
        }
      }
    } else {
      for (let i = 0; i < bits.length; i++) uppers![orderedBits(bits[i]) >>> 16]++;
      this.count += bits.length;
    }
  }

  /** Call when all values were added. @returns true where they have to be added once more */
  beginSecondPass(): boolean {
    const { uppers } = this;
    if (!uppers || this.refinements || this.count === 0) return false;
    const refinements = new Map<number, Refinement>();
    for (const index of this.indices()) {
      let below = 0;
      let upper = 0;
      while (below + uppers[upper] <= index) below += uppers[upper++];
      refinements.set(upper, { upper, lowers: new Float64Array(TABLE), below });
    }
    this.refinements = [...refinements.values()];
    return true;
  }

  /** One for each probability; 0 where there is no value. */
  quantiles(): number[] {
    const { kept, count } = this;
    if (count === 0) return this.probabilities.map(() => 0);
    const indices = this.indices();
    if (!kept) return indices.map((index) => this.refined(index));
    const found: number[] = [];
    const values = kept.subarray(0, count);
    let end = count - 1;
    for (const index of indices.reverse()) {
      selectIndex(values, index, 0, end);
      found.unshift(values[index]);
      end = index;
    }
    return found;
  }

  private indices(): number[] {
    return this.probabilities.map((probability) => Math.round(probability * (this.count - 1)));
  }

  private refined(index: number): number {
    for (const { upper, lowers, below } of this.refinements ?? []) {
      let left = index - below;
      if (left < 0 || left >= this.uppers![upper]) continue;
      for (let lower = 0; lower < TABLE; lower++) {
        if (left < lowers[lower]) return valueOfOrderedBits(upper * TABLE + lower);
        left -= lowers[lower];
      }
    }
    throw new Error('A quantile lies outside of what was counted: the file changed meanwhile');
  }
}
