import { lastTile, TILE } from './packing';
import { DEPTH, tile1, tile2, tile4, tile5 } from './tile';

/**
 * y = x·wᵀ + bias, or added to y. Every panel of eight outputs meets all rows before the next, in
 * slices of {@link DEPTH} inputs.
 * @param x by `packInputs`; @param w panels by `packRows` or `packColumns`
 * @param bias f32 [outputs] or 0; @param yStride floats between output rows
 */
export function multiply(
  x: usize, w: usize, bias: usize, y: usize, yStride: i32,
  rows: i32, outputs: i32, inputs: i32, add: bool,
): void {
  const yStep = <usize>yStride << 2;
  const whole = rows - (rows % TILE);
  const last = lastTile(rows - whole);
  for (let k = 0; k < inputs; k += DEPTH) {
    const depth = min(DEPTH, inputs - k);
    const tileBytes = <usize>(depth * TILE) << 2;
    const tiles = x + (<usize>k * (whole + last) << 2);
    const sum = add || k > 0;
    for (let n = 0; n < outputs; n += 8) {
      const panel = w + ((<usize>n * inputs + ((<usize>k) << 3)) << 2);
      const columns = min(8, outputs - n);
      const b: usize = bias && !k ? bias + (<usize>n << 2) : 0;
      let t = tiles, o = y + (<usize>n << 2);
      for (let m = 0; m < whole; m += TILE) {
        tile5(t, panel, depth, o, yStep, b, sum, columns);
        t += tileBytes;
        o += yStep * TILE;
      }
      if (last == 1) tile1(t, panel, depth, o, b, sum, columns);
      else if (last == 2) tile2(t, panel, depth, o, yStep, b, sum, columns);
      else if (last == 4) tile4(t, panel, depth, o, yStep, b, sum, rows - whole, columns);
    }
  }
}
