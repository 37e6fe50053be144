import {
  WEIGHT_MEASURES,
  type WeightMeasure,
  type MeasureDefinition,
  type MeasureKind,
} from '../../src/metrics/measures.js';
import {
  NO_NUMBER,
  formatExponential,
  formatFixed,
  formatInteger,
  formatShare,
  formatSizeIn,
  sizeUnit,
  superscript,
  weightDecimals,
} from '../components/numbers.js';

/** Measures that a format has where the model was run. */
export const PERPLEXITY_MEASURES = [
  'perplexity',
  'perplexityDelta',
  'klDivergence',
  'topTokenAgreement',
  'reverseKlDivergence',
  'cakld',
] as const;
export type PerplexityMeasure = (typeof PERPLEXITY_MEASURES)[number];
/** What a format costs. */
export const SIZE_MEASURES = ['bitsPerWeight', 'sizeBytes'] as const;
export type SizeMeasure = (typeof SIZE_MEASURES)[number];
export type FormatMeasure = SizeMeasure | PerplexityMeasure | WeightMeasure;
/** What the table by tensor has of the model with a tensor alone quantized. */
export const ALONE_MEASURES = ['klDivergence', 'topTokenAgreement', 'perplexityDelta'] as const;
export type AloneMeasure = (typeof ALONE_MEASURES)[number];
/** Measures of the table by tensor. */
export type GridMeasure = WeightMeasure | AloneMeasure;

/** True for what is measured of the model, not of the weights. */
export function isAloneMeasure(measure: GridMeasure): measure is AloneMeasure {
  return (ALONE_MEASURES as readonly string[]).includes(measure);
}

/** A measure as the page shows it; `kind` says how it is written and compared. */
export interface Measure extends Pick<MeasureDefinition, 'label' | 'spoken' | 'better' | 'hint'> {
  readonly kind: MeasureKind | 'bits' | 'bytes' | 'perplexity' | 'delta' | 'nats';
}

/** Every column that a table of the page can have. */
export const MEASURES: Readonly<Record<FormatMeasure, Measure>> = {
  bitsPerWeight: {
    label: 'bits / weight',
    spoken: 'bits per weight',
    kind: 'bits',
    better: 'lower',
  },
  sizeBytes: { label: 'size', spoken: 'size', kind: 'bytes', better: 'lower' },
  perplexity: { label: 'perplexity', spoken: 'perplexity', kind: 'perplexity', better: 'lower' },
  perplexityDelta: {
    label: 'Δ ± s.e.',
    spoken: 'perplexity above the unquantized model',
    kind: 'delta',
    better: 'lower',
    hint: 'over unquantized',
  },
  klDivergence: {
    label: 'KL divergence',
    spoken: 'Kullback-Leibler divergence per token from the unquantized model',
    kind: 'nats',
    better: 'lower',
  },
  topTokenAgreement: {
    label: 'same top token',
    spoken: 'share of tokens with the same most probable prediction',
    kind: 'share',
    better: 'higher',
  },
  reverseKlDivergence: {
    label: 'reverse KL',
    spoken: 'Kullback-Leibler divergence per token of the unquantized model from the quantized one',
    kind: 'nats',
    better: 'lower',
  },
  cakld: {
    label: 'CAKLD',
    spoken: 'confidence-aware divergence per token, as BitDistiller weighs both directions',
    kind: 'nats',
    better: 'lower',
  },
  ...WEIGHT_MEASURES,
};

/** How one column's numbers are written: one precision and one unit for all of them. */
export interface ColumnFormat {
  /** "dB", "10⁻⁵"; "" for none. */
  readonly unit: string;
  /** What numbers are divided by where they are written in powers of ten. */
  readonly divisor: number;
  text(value: number | undefined): string;
}

type Write = (unit: string, text: (value: number) => string, divisor?: number) => ColumnFormat;

/** The way to write a measure, given all values that will stand together. */
export function columnFormat(measure: FormatMeasure, values: readonly number[]): ColumnFormat {
  const finite = values.filter(Number.isFinite);
  const largest = finite.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const write: Write = (unit, text, divisor = 1) => ({
    unit,
    divisor,
    text: (value) => (value === undefined ? NO_NUMBER : text(value)),
  });
  switch (MEASURES[measure].kind) {
    case 'bits':
    case 'ratio':
      return write('', (value) => formatFixed(value, 3));
    case 'bytes': {
      if (finite.length === 0) return write('', () => NO_NUMBER);
      // Whole KB still tell formats of 10 MB apart.
      const unit = largest < 16 * 1024 * 1024 && largest >= 1024 ? 'KB' : sizeUnit(largest);
      return write(unit, (value) => formatSizeIn(value, unit));
    }
    case 'perplexity':
      return write('', (value) => formatFixed(value, 2));
    case 'delta': {
      const decimals = deltaDecimals(finite);
      return write('', (value) => signed(value, decimals));
    }
    case 'nats': {
      const decimals = thousandthDecimals(finite);
      return write('10⁻³ nats', (value) => formatFixed(value * 1000, decimals), 1e-3);
    }
    case 'decibels':
      return write('dB', (value) => formatFixed(value, 2));
    case 'squaredError':
      return powerOfTen(finite, largest, write);
    case 'error': {
      const decimals = Math.max(0, weightDecimals(largest) - 1);
      return write('', (value) => formatFixed(value, decimals));
    }
    case 'share':
      return write('%', formatShare);
    case 'count':
      return write('', formatInteger);
  }
}

/** Places that tell differences of perplexity apart: two, more where all of them are small. */
export function deltaDecimals(values: readonly number[]): number {
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return largest >= 0.1 || largest === 0 ? 2 : largest >= 0.01 ? 3 : 4;
}

/** Places of thousandths of nats: one, more where most divergences are small. */
function thousandthDecimals(values: readonly number[]): number {
  const positive = values.filter((value) => value > 0).toSorted((a, b) => a - b);
  const median = positive[Math.floor(positive.length / 2)] ?? 1;
  return Math.min(4, Math.max(1, 1 - Math.floor(Math.log10(median * 1000))));
}

/** A difference with its sign; "< 0.01" where the places do not reach. */
export function signed(value: number, decimals: number): string {
  const text = formatFixed(Math.abs(value), decimals);
  if (value !== 0 && Number(text) === 0) return `< ${formatFixed(10 ** -decimals, decimals)}`;
  return value > 0 ? `+${text}` : formatFixed(value, decimals);
}

function powerOfTen(finite: readonly number[], largest: number, write: Write): ColumnFormat {
  const smallest = finite.reduce(
    (least, value) => (value > 0 ? Math.min(least, value) : least),
    largest,
  );
  if (largest === 0 || largest / smallest > 100) {
    return write('', (value) => (value === 0 ? '0' : formatExponential(value)));
  }
  const exponent = Math.floor(Math.log10(smallest));
  if (exponent === 0) return write('', (value) => formatFixed(value, 3));
  const divisor = 10 ** exponent;
  return write(`10${superscript(exponent)}`, (value) => formatFixed(value / divisor, 2), divisor);
}

/** The best of some values; undefined when the measure ranks nothing or all are equal. */
export function bestOf(
  measure: FormatMeasure,
  values: readonly (number | undefined)[],
): number | undefined {
  const { better } = MEASURES[measure];
  const known = values.filter(
    (value): value is number => value !== undefined && !Number.isNaN(value),
  );
  if (!better || known.length < 2) return undefined;
  const [least, most] = [Math.min(...known), Math.max(...known)];
  if (least === most) return undefined;
  return better === 'higher' ? most : least;
}

/** Errors compare by ratio, in decibels, as SQNR does: what ten times the value is worth. */
const DECADES: Readonly<Partial<Record<Measure['kind'], number>>> = {
  squaredError: 10,
  error: 20,
  // In proportion to the square of a small error.
  nats: 10,
};

/** How much better `value` is than `reference`, on a scale where differences compare; 0 if equal. */
export function advantage(measure: FormatMeasure, value: number, reference: number): number {
  if (value === reference) return 0;
  const { kind, better } = MEASURES[measure];
  const decibels = DECADES[kind];
  // Divergences near zero may come out on either side of it.
  if (kind === 'nats' && !(value > 0 && reference > 0)) return 0;
  const gain = decibels ? decibels * Math.log10(value / reference) : value - reference;
  return better === 'higher' ? gain : -gain;
}

/** The unit that {@link advantage} has, and a factor that makes numbers of it. */
export function advantageUnit(measure: FormatMeasure): {
  readonly unit: string;
  readonly factor: number;
} {
  const { kind } = MEASURES[measure];
  if (kind === 'share') return { unit: 'points', factor: 100 };
  return { unit: kind === 'decibels' || kind in DECADES ? 'dB' : '', factor: 1 };
}
