import { DetailedAsymmetryAccumulator } from './asymmetries.js';
import { selectIndex } from './select.js';
import type { GroupRangeColumn, GroupRanges } from './types.js';

const FIVE_PROBABILITIES = [0, 0.1, 0.5, 0.9, 1];
/** Groups that one column of a chart may stand for: their extremes are kept until it is complete. */
const MAX_GROUPS_PER_COLUMN = 1 << 24;

/** 0 %, 10 %, 50 %, 90 % and 100 % of values, as if they were sorted. Reorders them. */
function fiveNumbers(values: Float32Array): [number, number, number, number, number] {
  const indices = FIVE_PROBABILITIES.map((each) => Math.round(each * (values.length - 1)));
  if (values.length <= 64) values.sort();
  else {
    let end = values.length - 1;
    for (const index of [...indices].reverse()) {
      selectIndex(values, index, 0, end);
      end = index;
    }
  }
  return indices.map((index) => values[index]) as [number, number, number, number, number];
}

export interface GroupLayout {
  /** Columns of weights per group. */
  readonly groupSize: number;
  readonly groupsPerRow: number;
  readonly groupCount: number;
}

/**
 * Summarizes a run of groups in at most `maxColumns` columns of equally many groups, while the groups of a
 * tensor come in order and in parts. Memory does not grow with their number.
 */
export class GroupRangesAccumulator {
  private readonly asymmetries: DetailedAsymmetryAccumulator;
  private readonly firstGroup: number;
  private readonly shownGroups: number;
  private readonly columns: GroupRangeColumn[] = [];
  // Of the column that is not complete yet.
  private readonly positive: Float32Array;
  private readonly negative: Float32Array;
  private filled = 0;
  private seen = 0;
  private second = false;

  /**
   * @param shown which groups to show; the whole tensor where absent
   * @throws RangeError where a column would stand for too many groups
   */
  constructor(
    private readonly layout: GroupLayout,
    maxColumns: number,
    shown?: { readonly firstGroup: number; readonly shownGroups: number },
  ) {
    const { groupCount } = layout;
    this.firstGroup = Math.min(Math.max(Math.floor(shown?.firstGroup ?? 0), 0), groupCount);
    this.shownGroups = Math.min(
      Math.max(Math.floor(shown?.shownGroups ?? groupCount), 0),
      groupCount - this.firstGroup,
    );
    const perColumn = Math.ceil(this.shownGroups / Math.max(1, Math.floor(maxColumns)));
    if (!(perColumn <= MAX_GROUPS_PER_COLUMN)) {
      throw new RangeError(`${this.shownGroups} groups are too many to be drawn at once`);
    }
    this.positive = new Float32Array(Math.max(1, perColumn));
    this.negative = new Float32Array(Math.max(1, perColumn));
    this.asymmetries = new DetailedAsymmetryAccumulator(groupCount);
  }

  /** @param positive largest positive weight of each group, 0 where none; `negative` likewise */
  add(positive: Float32Array, negative: Float32Array): void {
    this.asymmetries.addExtremes(positive, negative);
    if (this.second) return;
    const end = this.firstGroup + this.shownGroups;
    const last = Math.min(positive.length, end - this.seen);
    for (let at = Math.max(0, this.firstGroup - this.seen); at < last;) {
      const count = Math.min(this.positive.length - this.filled, last - at);
      this.positive.set(positive.subarray(at, at + count), this.filled);
      this.negative.set(negative.subarray(at, at + count), this.filled);
      this.filled += count;
      at += count;
      if (this.filled === this.positive.length || this.seen + at === end) this.endColumn();
    }
    this.seen += positive.length;
  }

  /** Call when all groups were added. @returns true where they have to be added once more */
  beginSecondPass(): boolean {
    this.second = true;
    return this.asymmetries.beginSecondPass();
  }

  summarize(): GroupRanges {
    const { layout, firstGroup, shownGroups, columns } = this;
    const asymmetry = this.asymmetries.summarize();
    return { ...layout, firstGroup, shownGroups, columns, asymmetry };
  }

  private endColumn(): void {
    const groups = this.filled;
    this.columns.push({
      firstGroup: this.firstGroup + this.columns.length * this.positive.length,
      groups,
      positive: fiveNumbers(this.positive.subarray(0, groups)),
      negative: fiveNumbers(this.negative.subarray(0, groups)),
    });
    this.filled = 0;
  }
}
