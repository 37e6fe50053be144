/** Rows that a worker takes at once: enough for the matrix product, little for its memory; a multiple of a panel's. */
export const TILE_ROWS = 160;

/** A run of rows. */
export interface Tile {
  readonly first: number;
  readonly rows: number;
}

/** Cuts rows into tiles. */
export function tilesOf(count: number): Tile[] {
  return Array.from({ length: Math.ceil(count / TILE_ROWS) }, (_, index) => {
    const first = index * TILE_ROWS;
    return { first, rows: Math.min(TILE_ROWS, count - first) };
  });
}
