/** A column of a plain-text table. */
export interface Column {
  readonly title: string;
  /** Text is aligned left, figures right. */
  readonly align: 'left' | 'right';
}

/** Longer texts run over, so that one name does not widen every line. */
const MAX_COLUMN_WIDTH = 120;

/** Code points, not UTF-16 units, so that ∞ and astral names align; at most {@link MAX_COLUMN_WIDTH}. */
function width(text: string): number {
  let width = 0;
  for (let at = 0; at < text.length && width < MAX_COLUMN_WIDTH; width++) {
    at += text.codePointAt(at)! > 0xffff ? 2 : 1;
  }
  return width;
}

function pad(text: string, column: Column, columnWidth: number): string {
  const space = ' '.repeat(Math.max(0, columnWidth - width(text)));
  return column.align === 'left' ? text + space : space + text;
}

/**
 * Aligned columns, two spaces apart, without trailing spaces and with a line break at the end.
 * @param rows one text per column; missing cells stay empty
 * @param indent spaces in front of every line
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  indent = 0,
): string {
  const widths = columns.map((column, index) =>
    rows.reduce((most, row) => Math.max(most, width(row[index] ?? '')), width(column.title)),
  );
  const lines = [columns.map(({ title }) => title), ...rows].map((cells) =>
    columns.map((column, index) => pad(cells[index] ?? '', column, widths[index])).join('  '),
  );
  return lines.map((line) => `${' '.repeat(indent)}${line}`.trimEnd() + '\n').join('');
}
