/** Bins of equal width that cover a range. */
export interface HistogramEdges {
  /** Lower edge of the first bin. */
  readonly start: number;
  readonly binWidth: number;
  readonly bins: number;
}

/** Bin of a value; values on an edge belong to the bin above it, the largest to the last bin. */
export function binOf(value: number, { start, binWidth, bins }: HistogramEdges): number {
  return Math.min(Math.max(Math.floor((value - start) / binWidth), 0), bins - 1);
}
