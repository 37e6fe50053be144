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

/** Rows in order of a value; rows without one stay at the end, equal ones in their order. */
export function sortRows<Row>(
  rows: readonly Row[],
  value: (row: Row) => number | string | undefined,
  direction: Sorting['direction'],
  compareText: (a: string, b: string) => number,
): Row[] {
  const sign = direction === 'ascending' ? 1 : -1;
  const missing = (x: number | string | undefined): boolean => x === undefined || Number.isNaN(x);
  return rows
    .map((row) => ({ row, key: value(row) }))
    .sort((a, b) => {
      if (missing(a.key) || missing(b.key)) return Number(missing(a.key)) - Number(missing(b.key));
      if (typeof a.key === 'string') return sign * compareText(a.key, String(b.key));
      const [x, y] = [Number(a.key), Number(b.key)];
      return x === y ? 0 : sign * (x < y ? -1 : 1);
    })
    .map(({ row }) => row);
}
