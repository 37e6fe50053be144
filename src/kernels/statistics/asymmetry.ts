/** Asymmetries of groups, see {@link asymmetryOf}; all-zero groups have none. */
export interface GroupAsymmetries {
  readonly values: Float32Array;
  /** Their sum, of values that are not rounded to f32. */
  readonly sum: number;
}

/** (max⁺ − max⁻)/(max⁺ + max⁻) of one group; undefined for an all-zero group. */
export function asymmetryOf(positive: number, negative: number): number | undefined {
  const sum = positive + negative;
  return sum > 0 ? (positive - negative) / sum : undefined;
}

/** Collects the asymmetries of groups in order. */
export class AsymmetryList {
  private found = 0;
  private sum = 0;
  // A group that is longer than the pieces it comes in.
  private pendingPositive = 0;
  private pendingNegative = 0;

  /** @param values has room for one of each group */
  constructor(private readonly values: Float32Array) {}

  /**
   * @param positive largest positive weight of each group, 0 where none; `negative` likewise
   * @param continues the last group goes on in the next call
   */
  add(positive: Float32Array, negative: Float32Array, continues = false): void {
    const groups = positive.length;
    for (let group = 0; group < groups; group++) {
      let p = positive[group];
      let n = negative[group];
      if (group === 0) {
        p = Math.max(p, this.pendingPositive);
        n = Math.max(n, this.pendingNegative);
        this.pendingPositive = 0;
        this.pendingNegative = 0;
      }
      if (continues && group === groups - 1) {
        this.pendingPositive = p;
        this.pendingNegative = n;
        return;
      }
      const asymmetry = asymmetryOf(p, n);
      if (asymmetry === undefined) continue;
      this.sum += asymmetry;
      this.values[this.found++] = asymmetry;
    }
  }

  /** What was collected; the values lie where the list was told to put them. */
  all(): GroupAsymmetries {
    return { values: this.values.subarray(0, this.found), sum: this.sum };
  }
}
