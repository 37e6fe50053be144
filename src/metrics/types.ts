import type { NarrowerType } from '../kernels/statistics/narrowerType.js';

/** Statistics of all elements of a tensor. NaN and ±Inf are counted and left out of everything else. */
export interface TensorStatistics {
  readonly count: number;
  readonly min: number;
  readonly max: number;
  readonly mean: number;
  /** Population standard deviation. */
  readonly std: number;
  readonly absMax: number;
  readonly skewness: number;
  /** Excess kurtosis: 0 for a normal distribution. */
  readonly kurtosis: number;
  /** Elements equal to +0 or −0. */
  readonly zeros: number;
  readonly nan: number;
  readonly inf: number;
  /** Index (row-major) of the first NaN or ±Inf, when there is one. */
  readonly firstNonFinite?: number;
  /** Number of different values, where the element type has at most 16 bits. */
  readonly distinct?: number;
  /** A type of 16 bits that every value of an F32 tensor is one of: it could be half as large. */
  readonly holds?: NarrowerType;
  /** Quantile by probability ("0.001", "0.01", "0.25", "0.5", …); a value that occurs in the tensor. */
  readonly quantiles: Readonly<Record<string, number>>;
  /** Present when quantiles or histogram are not exact, saying why. */
  readonly approximation?: string;
}

/** Counts of weights in bins of equal width; every finite weight is in exactly one bin. */
export interface Histogram {
  /** Lower edge of the first bin. */
  readonly start: number;
  readonly binWidth: number;
  readonly counts: readonly number[];
}

/** Extremes of neighbouring groups, summarised so that one chart column stands for several groups. */
export interface GroupRangeColumn {
  /** First group of the column; groups are numbered row by row. */
  readonly firstGroup: number;
  readonly groups: number;
  /** Of the groups' largest positive weights (0 where none is positive): 0 %, 10 %, 50 %, 90 %, 100 %. */
  readonly positive: readonly [number, number, number, number, number];
  /** Of the magnitudes of the groups' most negative weights, likewise. */
  readonly negative: readonly [number, number, number, number, number];
}

/** How lopsided groups are: (max⁺ − max⁻)/(max⁺ + max⁻), 0 when balanced, ±1 when one-sided. */
export interface AsymmetrySummary {
  readonly mean: number;
  /** Quantiles of the asymmetry, with its sign. */
  readonly p50: number;
  readonly p95: number;
  /** Quantiles of its magnitude. */
  readonly absolute: { readonly p50: number; readonly p95: number };
  /** Counts over [−1, 1] in bins of equal width, all-zero groups left out. */
  readonly histogram: readonly number[];
}

/** Per-group ranges of one tensor. */
export interface GroupRanges {
  /** Columns of weights per group; the last group of a row may be shorter. */
  readonly groupSize: number;
  readonly groupsPerRow: number;
  readonly groupCount: number;
  /** Groups shown: [firstGroup, firstGroup + shownGroups). */
  readonly firstGroup: number;
  readonly shownGroups: number;
  readonly columns: readonly GroupRangeColumn[];
  readonly asymmetry: AsymmetrySummary;
}
