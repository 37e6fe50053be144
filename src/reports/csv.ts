import { visible } from '../storage/errors.js';

/**
 * A CSV field. Control and direction characters become visible escapes, as everywhere; text that a
 * spreadsheet would take for a formula is quoted with a leading apostrophe.
 */
function csvField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const shown = visible(value);
  const text = /^[=+\-@]/.test(shown) ? `'${shown}` : shown;
  // Joined, not replaced: of many quotation marks that takes a tenth of the time.
  return /[",]/.test(text) ? `"${text.split('"').join('""')}"` : text;
}

/** Lines of fields as CSV: RFC 4180 quoting, each line ended. */
export function formatCsv(lines: readonly (readonly (string | number)[])[]): string {
  return lines.map((line) => line.map(csvField).join(',')).join('\r\n') + '\r\n';
}
