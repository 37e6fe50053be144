/** How numbers read in the terminal: true minus, thin grouping, one precision a column. */

function nonFinite(value: number): string | undefined {
  if (Number.isNaN(value)) return 'NaN';
  if (value === Infinity) return '∞';
  if (value === -Infinity) return '−∞';
  return undefined;
}

/** ASCII hyphens of signs and exponents become true minus signs. */
function trueMinus(text: string): string {
  return text.replaceAll('-', '−');
}

/** A whole number, digits grouped by three: 1,536. */
export function formatCount(value: number): string {
  return trueMinus(String(value)).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** A number with `places` decimals. */
export function formatFixed(value: number, places: number): string {
  return nonFinite(value) ?? trueMinus(value.toFixed(places));
}

/** Three significant digits in powers of ten: 1.64e−4; zero is 0. */
export function formatScientific(value: number): string {
  return nonFinite(value) ?? (value === 0 ? '0' : trueMinus(value.toExponential(2)));
}

/** Three or more significant digits, plain where that is short. */
export function formatSignificant(value: number): string {
  const magnitude = Math.abs(value);
  if (magnitude !== 0 && (magnitude < 1e-3 || magnitude >= 1e5)) return formatScientific(value);
  return formatFixed(value, 4);
}

/** A share of one in per cent with one decimal; what is there but rounds to nothing says so. */
export function formatPercent(share: number): string {
  return share > 0 && share < 0.0005 ? '< 0.1' : formatFixed(share * 100, 1);
}

const SIZE_UNITS = ['B', 'KB', 'MB', 'GB', 'TB'] as const;
export type SizeUnit = (typeof SIZE_UNITS)[number];

/** The unit, of 1024, in which the largest of some byte counts has at most four digits. */
export function chooseSizeUnit(bytes: readonly number[]): SizeUnit {
  const largest = bytes.reduce((most, each) => Math.max(most, each), 0);
  let index = 0;
  while (index + 1 < SIZE_UNITS.length && largest / 1024 ** index >= 9999.5) index++;
  return SIZE_UNITS[index];
}

/** Bytes in a given unit; one decimal, none for bytes and for four-digit figures. */
export function formatSizeIn(bytes: number, unit: SizeUnit): string {
  const value = bytes / 1024 ** SIZE_UNITS.indexOf(unit);
  if (unit === 'B') return formatCount(bytes);
  return value >= 999.95 ? formatCount(Math.round(value)) : formatFixed(value, 1);
}

/** A size with its unit: 512 B, 384 KB, 1.50 MB; bytes are given exactly up to 9,999. */
export function formatSize(bytes: number): string {
  if (bytes < 10_000) return `${formatCount(bytes)} B`;
  let index = 1;
  while (index + 1 < SIZE_UNITS.length && bytes / 1024 ** index >= 1000) index++;
  return `${formatFixed(bytes / 1024 ** index, index === 1 ? 0 : 2)} ${SIZE_UNITS[index]}`;
}
