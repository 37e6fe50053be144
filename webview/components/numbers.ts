/** How numbers are written on the pages: true minus, grouped thousands, one precision a column. */

const SIZE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;
export type SizeUnit = (typeof SIZE_UNITS)[number];

/** Shown where there is no number. */
export const NO_NUMBER = '–';

function trueMinus(text: string): string {
  return text.replace('-', '−');
}

/** "1,536"; also for numbers beyond 2^53, as well as JavaScript knows them. */
export function formatInteger(value: number): string {
  return trueMinus(value.toLocaleString('en-US', { maximumFractionDigits: 0 }));
}

/** A fixed number of decimals: "−0.4395"; ∞ and NaN are named. */
export function formatFixed(value: number, decimals: number): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  const text = value.toLocaleString('en-US', {
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
  return trueMinus(/^-0[.0]*$/.test(text) ? text.slice(1) : text);
}

/** "1.64e−4": `digits` significant digits and an exponent. */
export function formatExponential(value: number, digits = 3): string {
  if (!Number.isFinite(value)) return formatNonFinite(value);
  return value
    .toExponential(digits - 1)
    .replaceAll('-', '−')
    .replace('e+', 'e');
}

/** Significant digits, with an exponent only where zeros would hide them: "0.0026", "2.6e−7". */
export function formatPrecision(value: number, digits: number): string {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-4 || magnitude >= 1e6)) {
    return formatExponential(value, digits);
  }
  return Number.isFinite(value) ? trueMinus(value.toPrecision(digits)) : formatNonFinite(value);
}

function formatNonFinite(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  return value > 0 ? '∞' : '−∞';
}

/** Decimals that give the weights of a tensor four places after its leading zero: 0.4395, 1.938. */
export function weightDecimals(absMax: number): number {
  if (!Number.isFinite(absMax) || absMax <= 0) return 4;
  return Math.min(8, Math.max(0, 3 - Math.floor(Math.log10(absMax))));
}

/** A weight with the given decimals, or with an exponent where those would leave too few digits. */
export function formatWeight(value: number, decimals: number): string {
  if (value === 0) return '0';
  const magnitude = Math.abs(value);
  const tooSmall = magnitude < 10 ** (1 - decimals);
  return tooSmall || magnitude >= 1e7 ? formatExponential(value) : formatFixed(value, decimals);
}

/** A share in per cent with one decimal, without the sign: 0.0893 → "8.9". */
export function formatShare(fraction: number): string {
  if (fraction > 0 && fraction < 0.0005) return '< 0.1';
  return formatFixed(fraction * 100, 1);
}

/** The unit of 1024 that suits a size in bytes. */
export function sizeUnit(bytes: number): SizeUnit {
  let unit = 0;
  for (let rest = bytes; rest >= 1024 && unit < SIZE_UNITS.length - 1; rest /= 1024) unit++;
  return SIZE_UNITS[unit];
}

/** Three significant digits in units of 1024: "64.0 KB", "1.50 MB". */
export function formatSize(bytes: number): string {
  const unit = sizeUnit(bytes);
  const value = bytes / 1024 ** SIZE_UNITS.indexOf(unit);
  const decimals = unit === 'B' || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${formatFixed(value, decimals)} ${unit}`;
}

/** A size in a unit chosen for a whole column, without the unit. */
export function formatSizeIn(bytes: number, unit: SizeUnit): string {
  const value = bytes / 1024 ** SIZE_UNITS.indexOf(unit);
  return formatFixed(value, unit === 'B' || unit === 'KB' ? 0 : 2);
}

/** Dimensions that are written; no model has as many, so that of more the first are enough. */
const MAX_DIMENSIONS = 8;

/**
 * "2,048 × 256"; "scalar" for no dimensions. Dimensions beyond 2^53 come as digits; of a great many the
 * first are given and their number.
 */
export function formatShape(shape: readonly number[], exact?: readonly string[]): string {
  if (shape.length === 0) return 'scalar';
  const isLong = shape.length > MAX_DIMENSIONS;
  const first = (exact ?? shape).slice(0, isLong ? MAX_DIMENSIONS - 2 : MAX_DIMENSIONS);
  const text = first.map((size) => (typeof size === 'number' ? formatInteger(size) : size));
  return text.join(' × ') + (isLong ? ` × … (${formatInteger(shape.length)} dimensions)` : '');
}

/** "3 tensors", "1 tensor". */
export function countOf(count: number, noun: string): string {
  return `${formatInteger(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** Time left, as vaguely as it is known: "about 7 s", "about 3 min". */
export function formatDuration(seconds: number): string {
  if (seconds < 60) return `about ${Math.max(1, Math.round(seconds))} s`;
  if (seconds < 5400) return `about ${Math.round(seconds / 60)} min`;
  return `about ${formatFixed(seconds / 3600, 1)} h`;
}

/** "⁻⁵" for −5. */
export function superscript(exponent: number): string {
  const digits = [...String(Math.abs(exponent))].map((digit) => '⁰¹²³⁴⁵⁶⁷⁸⁹'[Number(digit)]);
  return (exponent < 0 ? '⁻' : '') + digits.join('');
}
