import type { RowTile } from './tasks.js';

/** Rows of a tile. */
export function rowsOf({ segments }: RowTile): number {
  return segments.reduce((sum, { rows }) => sum + rows, 0);
}
