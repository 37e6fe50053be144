import { formatFixed } from '../components/numbers.js';
import type { FormatComparison, Perplexity } from '../components/protocolTypes.js';
import type { PerplexityMeasure } from './measures.js';
import { signed } from './measures.js';

/** What a measure of a format's perplexity is; undefined where it was not measured. */
export function perplexityValue(
  perplexity: Perplexity | undefined,
  measure: PerplexityMeasure,
): number | undefined {
  switch (measure) {
    case 'perplexity':
      return perplexity?.value;
    case 'perplexityDelta':
      return perplexity?.deltaVsBaseline;
    default:
      return perplexity?.[measure];
  }
}

/** True where a difference is less than two of its standard errors, or nobody knows them. */
export function isWithinNoise({ deltaVsBaseline, deltaStandardError }: Perplexity): boolean {
  return deltaStandardError === null || !(Math.abs(deltaVsBaseline) >= 2 * deltaStandardError);
}

/** "+0.39 ± 0.03", always with the numbers, for people who do not see the table. */
export function deltaText(perplexity: Perplexity, decimals: number): string {
  const { deltaVsBaseline, deltaStandardError } = perplexity;
  const delta = signed(deltaVsBaseline, decimals);
  return deltaStandardError === null
    ? delta
    : `${delta} ${errorText(deltaStandardError, decimals)}`;
}

/** "± 0.03", in the same places as its value. */
export function errorText(error: number, decimals: number): string {
  const text = formatFixed(error, decimals);
  return Number(text) === 0 && error > 0
    ? `± < ${formatFixed(10 ** -decimals, decimals)}`
    : `± ${text}`;
}

/** The best format by perplexity, and those that cannot be told apart from it. */
export interface Ranking {
  readonly best?: string;
  readonly tied: ReadonlySet<string>;
}

/**
 * Ranks formats by perplexity as far as the errors allow. A format within noise of the unquantized
 * model is not ranked; two formats differ where their deltas do, by two standard errors of both.
 */
export function rankByPerplexity(formats: readonly FormatComparison[]): Ranking {
  const known = formats.flatMap(({ id, perplexity }) =>
    perplexity && !Number.isNaN(perplexity.value) ? [{ id, perplexity }] : [],
  );
  if (known.length < 2) return { tied: new Set() };
  const [first, ...rest] = known.toSorted((a, b) => a.perplexity.value - b.perplexity.value);
  if (isWithinNoise(first.perplexity)) return { tied: new Set() };
  const error = ({ perplexity }: (typeof known)[number]): number =>
    perplexity.deltaStandardError ?? Infinity;
  const tied = rest.filter((each) => {
    const difference = each.perplexity.value - first.perplexity.value;
    return difference < 2 * Math.hypot(error(first), error(each));
  });
  return { best: first.id, tied: new Set(tied.map(({ id }) => id)) };
}
