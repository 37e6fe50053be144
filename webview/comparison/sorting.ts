import { naturalKey } from '../../src/reports/naturalOrder.js';

/** Which column orders the rows; absent for the original order. */
export interface Sorting {
  readonly column: string;
  readonly direction: 'ascending' | 'descending';
}

/** What a click on a column's head asks for: best first, then the reverse, then no order. */
export function nextSorting(
  current: Sorting | undefined,
  column: string,
  first: Sorting['direction'],
): Sorting | undefined {
  if (current?.column !== column) return { column, direction: first };
  if (current.direction !== first) return undefined;
  return { column, direction: first === 'ascending' ? 'descending' : 'ascending' };
}

/** The `aria-sort` of a column's head. */
export function ariaSort(sorting: Sorting | undefined, column: string): string {
  return sorting?.column === column ? sorting.direction : 'none';
}

/** The arrow beside a column's name. */
export function sortArrow(sorting: Sorting | undefined, column: string): string {
  if (sorting?.column !== column) return '';
  return sorting.direction === 'ascending' ? '↑' : '↓';
}

/** Rows in order of a value, texts in counting order; rows without one stay at the end, equal ones in their order. */
export function sortRows<Row>(
  rows: readonly Row[],
  value: (row: Row) => number | string | undefined,
  direction: Sorting['direction'],
): Row[] {
  const sign = direction === 'ascending' ? 1 : -1;
  const missing = (x: number | string | undefined): boolean => x === undefined || Number.isNaN(x);
  return rows
    .map((row) => {
      const key = value(row);
      return { row, key: typeof key === 'string' ? naturalKey(key) : key };
    })
    .sort((a, b) => {
      if (missing(a.key) || missing(b.key)) return Number(missing(a.key)) - Number(missing(b.key));
      return a.key === b.key ? 0 : sign * (a.key! < b.key! ? -1 : 1);
    })
    .map(({ row }) => row);
}
