import { transpose } from './lanes';
import { DEPTH } from './tile';

/** Rows of a tile. */
export const TILE: i32 = 5;

/** {@link TILE}, for the host. */
export function inputTile(): i32 {
  return TILE;
}

/** Height of the tile that takes the last rows, fewer than {@link TILE}. */
export function lastTile(rows: i32): i32 {
  return rows <= 2 ? rows : 4;
}

/** Writes four rows at p as [columns][4], `step` bytes apart, each times `factor`. */
function packFour(
  p: usize, rowStep: usize, columns: i32, factor: f32, target: usize, step: usize,
): void {
  const q = p + rowStep, r = q + rowStep, s = r + rowStep;
  const wide = <usize>(columns & ~3) << 2, end = <usize>columns << 2;
  const f = f32x4.splat(factor);
  let i: usize = 0;
  while (i < wide) {
    transpose(
      f32x4.mul(v128.load(p + i), f), f32x4.mul(v128.load(q + i), f),
      f32x4.mul(v128.load(r + i), f), f32x4.mul(v128.load(s + i), f), target, step,
    );
    target += step << 2;
    i += 16;
  }
  while (i < end) {
    store<f32>(target, load<f32>(p + i) * factor);
    store<f32>(target, load<f32>(q + i) * factor, 4);
    store<f32>(target, load<f32>(r + i) * factor, 8);
    store<f32>(target, load<f32>(s + i) * factor, 12);
    target += step;
    i += 4;
  }
}

/** Writes one row at p, times `factor`, `step` bytes apart. */
function packOne(p: usize, columns: i32, factor: f32, target: usize, step: usize): void {
  const wide = p + (<usize>(columns & ~3) << 2), end = p + (<usize>columns << 2);
  const f = f32x4.splat(factor), two = step << 1;
  for (; p < wide; p += 16, target += two << 1) {
    const v = f32x4.mul(v128.load(p), f);
    v128.store_lane<u32>(target, v, 0);
    v128.store_lane<u32>(target + step, v, 1);
    v128.store_lane<u32>(target + two, v, 2);
    v128.store_lane<u32>(target + two + step, v, 3);
  }
  for (; p < end; p += 4, target += step) store<f32>(target, load<f32>(p) * factor);
}

/** Writes zeros where a row is lacking. */
function packNone(columns: i32, target: usize, step: usize): void {
  for (let i = 0; i < columns; i++, target += step) store<f32>(target, 0);
}

/** Packs `rows` rows as [columns][height]; the rows that lack are zeros. */
export function packTile(
  p: usize, rowStep: usize, rows: i32, columns: i32, factor: f32, target: usize, height: i32,
): void {
  const step = <usize>height << 2;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    packFour(p + <usize>row * rowStep, rowStep, columns, factor, target + (<usize>row << 2), step);
  }
  for (; row < rows; row++) {
    packOne(p + <usize>row * rowStep, columns, factor, target + (<usize>row << 2), step);
  }
  for (; row < height; row++) packNone(columns, target + (<usize>row << 2), step);
}

/** Panels [⌈outputs/8⌉][inputs][8] of a matrix [outputs × inputs]. */
export function packRows(source: usize, stride: i32, outputs: i32, inputs: i32, target: usize): void {
  const rowStep = <usize>stride << 2;
  for (let n = 0; n < outputs; n += 8) {
    packTile(source + <usize>n * rowStep, rowStep, min(8, outputs - n), inputs, 1, target, 8);
    target += <usize>inputs << 5;
  }
}

/** Panels [⌈outputs/8⌉][inputs][8] of the transpose of a matrix [inputs × outputs]. */
export function packColumns(source: usize, stride: i32, outputs: i32, inputs: i32, target: usize): void {
  const rowStep = <usize>stride << 2, panelBytes = <usize>inputs << 5;
  // Sixteen rows at a time: their lines stay in the cache while all panels take their part.
  for (let k = 0; k < inputs; k += 16) {
    const end = min(k + 16, inputs);
    for (let n = 0; n < outputs; n += 8) {
      let p = source + <usize>k * rowStep + (<usize>n << 2);
      let t = target + <usize>(n >> 3) * panelBytes + (<usize>k << 5);
      const columns = outputs - n;
      for (let i = k; i < end; i++, p += rowStep, t += 32) {
        if (columns >= 8) {
          v128.store(t, v128.load(p));
          v128.store(t, v128.load(p, 16), 16);
        } else {
          v128.store(t, f32x4.splat(0));
          v128.store(t, f32x4.splat(0), 16);
          for (let j = 0; j < columns; j++) store<f32>(t + (<usize>j << 2), load<f32>(p + (<usize>j << 2)));
        }
      }
    }
  }
}

/** Tiles [⌈inputs/DEPTH⌉][⌈rows/tile⌉][depth][tile]; the last tile of rows may be lower. */
export function packInputs(source: usize, stride: i32, rows: i32, inputs: i32, target: usize): void {
  const rowStep = <usize>stride << 2;
  for (let k = 0; k < inputs; k += DEPTH) {
    const depth = min(DEPTH, inputs - k);
    for (let m = 0; m < rows; m += TILE) {
      const count = min(TILE, rows - m);
      const tall = count == TILE ? TILE : lastTile(count);
      packTile(source + <usize>m * rowStep + (<usize>k << 2), rowStep, count, depth, 1, target, tall);
      target += <usize>(depth * tall) << 2;
    }
  }
}
