import type { FormatReport } from '../reports/reports.js';
import { formatTable } from './tables.js';

/** A format, and its number in a table. */
export interface MethodCell extends Pick<
  FormatReport,
  'label' | 'numberFormat' | 'method' | 'activations'
> {
  readonly text: string;
}

const NEAREST = 'nearest';

/**
 * Number formats by methods, as papers print them: a row for each number format and what activations are
 * rounded to, a column for each method; "" where there are not several of both.
 * @param title of the numbers
 */
export function formatMethodTable(title: string, cells: readonly MethodCell[]): string {
  const methods = [...new Set(cells.map(({ method = NEAREST }) => method))];
  const rowOf = ({ label, numberFormat = label, activations }: MethodCell) =>
    activations === undefined ? numberFormat : `${numberFormat} · ${activations}`;
  const rows = [...new Set(cells.map(rowOf))];
  if (methods.length < 2 || rows.length < 2) return '';
  const textOf = (row: string, wanted: string) =>
    cells.find((cell) => rowOf(cell) === row && (cell.method ?? NEAREST) === wanted)?.text ?? '';
  return formatTable(
    [
      { title, align: 'left' },
      ...methods.map((method) => ({ title: method, align: 'right' as const })),
    ],
    rows.map((row) => [row, ...methods.map((method) => textOf(row, method))]),
  );
}
