import type { NumberFormat } from '../../formats/types.js';
import type { ChunkShape } from '../types.js';

/** A chunk as rows that groups do not cross: blocks of the flattened tensor see one long row. */
export function groupedShape({ group }: NumberFormat, { rows, columns }: ChunkShape) {
  if (group.kind === 'blocks') {
    return { rows: 1, columns: rows * columns, groupColumns: Math.min(group.size, rows * columns) };
  }
  const groupColumns = group.kind === 'columns' ? Math.min(group.size, columns) : columns;
  return { rows, columns, groupColumns };
}

/** Where the groups of a chunk lie, in their order: weights `start` to `end`, exclusive. */
export function* groupsOf(
  format: NumberFormat,
  shape: ChunkShape,
): Generator<{ readonly start: number; readonly end: number }> {
  const { rows, columns, groupColumns } = groupedShape(format, shape);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupColumns) {
      const start = row * columns + column;
      yield { start, end: start + Math.min(groupColumns, columns - column) };
    }
  }
}
