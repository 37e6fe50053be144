/** Edge of the squares in which a matrix is transposed: their rows, read and written, fit the cache. */
const TILE = 32;

/**
 * Transposes a matrix of rows × columns, row-major.
 * @param target gets columns × rows; shares no memory with `source`
 */
export function transpose(
  source: Float32Array,
  target: Float32Array,
  rows: number,
  columns: number,
): void {
  for (let firstRow = 0; firstRow < rows; firstRow += TILE) {
    const endRow = Math.min(firstRow + TILE, rows);
    for (let firstColumn = 0; firstColumn < columns; firstColumn += TILE) {
      const endColumn = Math.min(firstColumn + TILE, columns);
      for (let row = firstRow; row < endRow; row++) {
        for (let column = firstColumn; column < endColumn; column++) {
          target[column * rows + row] = source[row * columns + column];
        }
      }
    }
  }
}
