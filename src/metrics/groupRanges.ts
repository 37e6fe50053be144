import {
  AsymmetryList,
  asymmetryOf,
  type GroupAsymmetries,
} from '../kernels/statistics/asymmetry.js';
import { selectIndex } from './select.js';
import type { AsymmetrySummary, GroupRangeColumn, GroupRanges } from './types.js';

/** Extremes of all groups of a tensor, row by row: max⁺ and max⁻, both ≥ 0. */
export interface GroupExtremes {
  readonly positive: Float32Array;
  readonly negative: Float32Array;
}

const ASYMMETRY_BINS = 80;

function quantileIndex(length: number, probability: number): number {
  return Math.round(probability * (length - 1));
}

function fiveNumbers(values: Float32Array): [number, number, number, number, number] {
  const [low, mid, high] = [0.1, 0.5, 0.9].map((each) => quantileIndex(values.length, each));
  const sorted = values.length <= 64 ? values.slice().sort() : selected(values, [low, mid, high]);
  return [sorted[0], sorted[low], sorted[mid], sorted[high], sorted[sorted.length - 1]];
}

/** A copy with the extremes and these indices, ascending, as if it were sorted. */
function selected(values: Float32Array, indices: readonly number[]): Float32Array {
  const copy = values.slice();
  let end = copy.length - 1;
  for (const index of [end, ...[...indices].reverse(), 0]) {
    selectIndex(copy, index, 0, end);
    end = index;
  }
  return copy;
}

/** Median and 95 % quantile, 0 where there is no value. Reorders the values. */
function asymmetryQuantiles(values: Float32Array): { p50: number; p95: number } {
  const { length } = values;
  if (length === 0) return { p50: 0, p95: 0 };
  const [p50, p95] = [0.5, 0.95].map((probability) => quantileIndex(length, probability));
  selectIndex(values, p95);
  selectIndex(values, p50, 0, p95);
  return { p50: values[p50], p95: values[p95] };
}

/** Mean and quantiles of asymmetries. Reorders the values. */
export function summarizeAsymmetries({
  values,
  sum,
}: GroupAsymmetries): Pick<AsymmetrySummary, 'mean' | 'p50' | 'p95'> {
  const mean = values.length > 0 ? sum / values.length : 0;
  return { mean, ...asymmetryQuantiles(values) };
}

/** Mean, quantiles and histogram of the asymmetry of all groups that are not all zero. */
export function summarizeAsymmetry({ positive, negative }: GroupExtremes): AsymmetrySummary {
  const list = new AsymmetryList(new Float32Array(positive.length));
  list.add(positive, negative);
  const { values, sum } = list.all();
  const histogram = new Array<number>(ASYMMETRY_BINS).fill(0);
  for (let i = 0; i < positive.length; i++) {
    const asymmetry = asymmetryOf(positive[i], negative[i]);
    if (asymmetry === undefined) continue;
    const bin = Math.floor(((asymmetry + 1) / 2) * ASYMMETRY_BINS);
    histogram[Math.min(bin, ASYMMETRY_BINS - 1)]++;
  }
  const magnitudes = values.map(Math.abs);
  return {
    ...summarizeAsymmetries({ values, sum }),
    absolute: asymmetryQuantiles(magnitudes),
    histogram,
  };
}

/**
 * Summarizes a run of groups in at most `maxColumns` columns of equally many groups.
 * @param shown which groups to show; the whole tensor where absent
 */
export function summarizeGroupRanges(
  extremes: GroupExtremes,
  layout: { readonly groupSize: number; readonly groupsPerRow: number },
  maxColumns: number,
  shown?: { readonly firstGroup: number; readonly shownGroups: number },
  asymmetry: AsymmetrySummary = summarizeAsymmetry(extremes),
): GroupRanges {
  const groupCount = extremes.positive.length;
  const firstGroup = Math.min(Math.max(Math.floor(shown?.firstGroup ?? 0), 0), groupCount);
  const shownGroups = Math.min(
    Math.max(Math.floor(shown?.shownGroups ?? groupCount), 0),
    groupCount - firstGroup,
  );
  const perColumn = Math.max(1, Math.ceil(shownGroups / Math.max(1, Math.floor(maxColumns))));
  const columns: GroupRangeColumn[] = [];
  for (let offset = 0; offset < shownGroups; offset += perColumn) {
    const start = firstGroup + offset;
    const groups = Math.min(perColumn, shownGroups - offset);
    columns.push({
      firstGroup: start,
      groups,
      positive: fiveNumbers(extremes.positive.subarray(start, start + groups)),
      negative: fiveNumbers(extremes.negative.subarray(start, start + groups)),
    });
  }
  return { ...layout, groupCount, firstGroup, shownGroups, columns, asymmetry };
}
