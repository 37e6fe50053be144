import { packBand } from '../calibration/gram';
import { lastTile, TILE } from '../forward/packing';
import { DEPTH } from '../forward/tile';

/** Packs the transpose of [rows × columns] as `packInputs` packs rows. Stride in floats. */
export function packTransposed(source: usize, stride: i32, rows: i32, columns: i32, target: usize): void {
  const step = <usize>stride << 2;
  const rest = columns % TILE;
  const packed = columns - rest + lastTile(rest);
  for (let row = 0; row < rows; row += DEPTH) {
    const depth = min(DEPTH, rows - row);
    packBand(source, step, depth, columns, target);
    source += step * depth;
    target += <usize>(depth * packed) << 2;
  }
}
