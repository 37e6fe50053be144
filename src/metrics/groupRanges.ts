import type { AsymmetrySummary, GroupRangeColumn, GroupRanges } from './types.js';

/** Extremes of all groups of a tensor, row by row: max⁺ and max⁻, both ≥ 0. */
export interface GroupExtremes {
  readonly positive: Float32Array;
  readonly negative: Float32Array;
}

const ASYMMETRY_BINS = 80;

function quantile(sorted: Float32Array, probability: number): number {
  return sorted[Math.round(probability * (sorted.length - 1))];
}

function fiveNumbers(values: Float32Array): [number, number, number, number, number] {
  const sorted = values.slice().sort();
  return [
    sorted[0],
    quantile(sorted, 0.1),
    quantile(sorted, 0.5),
    quantile(sorted, 0.9),
    sorted[sorted.length - 1],
  ];
}

/** (max⁺ − max⁻)/(max⁺ + max⁻) of one group; undefined for an all-zero group. */
export function asymmetryOf(positive: number, negative: number): number | undefined {
  const sum = positive + negative;
  return sum > 0 ? (positive - negative) / sum : undefined;
}

/** Median and 95 % quantile, 0 where there is no value. Reorders the values. */
function quantilesOf(values: Float32Array): { readonly p50: number; readonly p95: number } {
  if (values.length === 0) return { p50: 0, p95: 0 };
  const sorted = values.sort();
  return { p50: quantile(sorted, 0.5), p95: quantile(sorted, 0.95) };
}

/** Mean, quantiles and histogram of the asymmetry of all groups that are not all zero. */
export function summarizeAsymmetry({ positive, negative }: GroupExtremes): AsymmetrySummary {
  const histogram = new Array<number>(ASYMMETRY_BINS).fill(0);
  const values = new Float32Array(positive.length);
  let groups = 0;
  let sum = 0;
  for (let i = 0; i < positive.length; i++) {
    const asymmetry = asymmetryOf(positive[i], negative[i]);
    if (asymmetry === undefined) continue;
    sum += asymmetry;
    values[groups++] = asymmetry;
    const bin = Math.floor(((asymmetry + 1) / 2) * ASYMMETRY_BINS);
    histogram[Math.min(bin, ASYMMETRY_BINS - 1)]++;
  }
  const found = values.subarray(0, groups);
  return {
    mean: groups > 0 ? sum / groups : 0,
    ...quantilesOf(found),
    absolute: quantilesOf(found.map(Math.abs)),
    histogram,
  };
}

/**
 * Summarizes a run of groups in at most `maxColumns` columns of equally many groups.
 * @param extent which groups to show; the whole tensor where absent
 */
export function summarizeGroupRanges(
  extremes: GroupExtremes,
  layout: { readonly groupSize: number; readonly groupsPerRow: number },
  maxColumns: number,
  extent?: { readonly firstGroup: number; readonly shownGroups: number },
  asymmetry: AsymmetrySummary = summarizeAsymmetry(extremes),
): GroupRanges {
  const groupCount = extremes.positive.length;
  const firstGroup = Math.min(Math.max(Math.floor(extent?.firstGroup ?? 0), 0), groupCount);
  const shownGroups = Math.min(
    Math.max(Math.floor(extent?.shownGroups ?? groupCount), 0),
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
