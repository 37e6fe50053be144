import type { Checked, Finding, Severity } from '../../src/reports/checkReport.js';
import { countOf, formatInteger, formatSize } from '../components/numbers.js';

/** What a severity is called; information is a note. */
export const SEVERITY: Readonly<Record<Severity, string>> = {
  error: 'Error',
  warning: 'Warning',
  info: 'Note',
};

/** "1 error, 0 warnings, 2 notes". */
export function countText(findings: readonly Finding[]): string {
  const counts = new Map<Severity, number>();
  for (const { severity } of findings) counts.set(severity, (counts.get(severity) ?? 0) + 1);
  return (['error', 'warning', 'info'] as const)
    .map((severity) => countOf(counts.get(severity) ?? 0, SEVERITY[severity].toLowerCase()))
    .join(', ');
}

/** "Checked: 38 tensors, 3,672,320 weights (7.00 MB) in 1 file, for 27 kinds of fault." */
export function checkedText({ tensors, elements, bytes, files, checks }: Checked): string {
  const weights = `${countOf(elements, 'weight')} (${formatSize(bytes)})`;
  const read = [countOf(tensors, 'tensor'), `${weights} in ${countOf(files, 'file')}`];
  return `Checked: ${read.join(', ')}, for ${formatInteger(checks)} kinds of fault.`;
}
