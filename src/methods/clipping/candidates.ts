import type { FixedRange } from '../../kernels/types.js';

/** How the ends of a group's range are tried. */
export type ClipKind =
  /** Both ends at the same magnitude: 10 candidates (AWQ). */
  | 'symmetric'
  /** Each end by itself: 100 candidates (BitDistiller). */
  | 'two-ended';

/** What a candidate multiplies the ends of a group's range by, rounded to f32. */
export interface ClipFactors {
  readonly low: number;
  readonly high: number;
}

/** An end is tried at 1, 0.95 … 0.55 of what it was. */
const FACTORS = Array.from({ length: 10 }, (_, i) => Math.fround(1 - i / 20));

/** All candidates in the order of the original code; the first of equally good ones wins, and none clips less. */
export function clipCandidates(kind: ClipKind): readonly ClipFactors[] {
  return kind === 'symmetric'
    ? FACTORS.map((factor) => ({ low: factor, high: factor }))
    : FACTORS.flatMap((high) => FACTORS.map((low) => ({ low, high })));
}

/** The range that candidates shrink: of symmetric ones ± the largest magnitude. */
export function wholeRange(kind: ClipKind, { lo, hi }: FixedRange): FixedRange {
  if (kind === 'two-ended') return { lo, hi };
  const largest = Math.max(hi, -lo);
  return { lo: -largest, hi: largest };
}
