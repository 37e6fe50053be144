import { multiplyAdd, transpose } from './lanes';

/**
 * Inputs whose products one pass adds up: a panel's part (512 × 32 bytes) stays in the first-level
 * cache while all tiles of rows pass over it.
 */
export const DEPTH: i32 = 512;

/** Columns 0 … 7 of an output row: its own values, the bias, both or neither are added. */
// @ts-ignore: decorator
@inline
function storeRow(y: usize, low: v128, high: v128, bias: usize, add: bool, columns: i32): void {
  if (columns == 8) {
    if (bias) {
      low = f32x4.add(low, v128.load(bias));
      high = f32x4.add(high, v128.load(bias, 16));
    }
    if (add) {
      low = f32x4.add(low, v128.load(y));
      high = f32x4.add(high, v128.load(y, 16));
    }
    v128.store(y, low);
    v128.store(y, high, 16);
  } else storeColumns(y, low, high, bias, add, columns);
}

/** {@link storeRow} for the last panel, behind which other data may lie. */
function storeColumns(y: usize, low: v128, high: v128, bias: usize, add: bool, columns: i32): void {
  for (let i = 0; i < columns; i++, y += 4) {
    let sum = f32x4.extract_lane(low, 0);
    if (bias) sum += load<f32>(bias + (<usize>i << 2));
    if (add) sum += load<f32>(y);
    store<f32>(y, sum);
    low = v128.shuffle<u32>(low, high, 1, 2, 3, 4);
    high = v128.shuffle<u32>(high, high, 1, 2, 3, 3);
  }
}

/**
 * `height` rows × 8 outputs: sums of x[k, row]·w[k, column] over k < depth. Not unrolled: V8 puts
 * all loads of a loop's body first and spills sums when they are more than the registers left. Five
 * rows are what fits, four of their inputs spread from one load.
 * @param height 1, 2, 4 or 5; a constant
 * @param transposed true: all sums go to y as [8][4] (height 4), the other arguments are unused
 * @param x tile [depth][height]; @param w panel [depth][8], depth ≥ 1
 * @param yStep bytes between output rows; @param rows how many of them to store, ≤ height
 */
// @ts-ignore: decorator
@inline
function tile(
  height: i32, transposed: bool, x: usize, w: usize, depth: i32,
  y: usize, yStep: usize, bias: usize, add: bool, rows: i32, columns: i32,
): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, a4 = a0;
  let b0 = a0, b1 = a0, b2 = a0, b3 = a0, b4 = a0;
  const end = w + (<usize>depth << 5);
  do {
    const low = v128.load(w), high = v128.load(w, 16);
    if (height == 5) {
      const four = v128.load(x);
      let v = v128.shuffle<u32>(four, four, 0, 0, 0, 0);
      a0 = multiplyAdd(v, low, a0);
      b0 = multiplyAdd(v, high, b0);
      v = v128.shuffle<u32>(four, four, 1, 1, 1, 1);
      a1 = multiplyAdd(v, low, a1);
      b1 = multiplyAdd(v, high, b1);
      v = v128.shuffle<u32>(four, four, 2, 2, 2, 2);
      a2 = multiplyAdd(v, low, a2);
      b2 = multiplyAdd(v, high, b2);
      v = v128.shuffle<u32>(four, four, 3, 3, 3, 3);
      a3 = multiplyAdd(v, low, a3);
      b3 = multiplyAdd(v, high, b3);
      v = v128.load32_splat(x, 16);
      a4 = multiplyAdd(v, low, a4);
      b4 = multiplyAdd(v, high, b4);
    } else {
      let v = v128.load32_splat(x);
      a0 = multiplyAdd(v, low, a0);
      b0 = multiplyAdd(v, high, b0);
      if (height > 1) {
        v = v128.load32_splat(x, 4);
        a1 = multiplyAdd(v, low, a1);
        b1 = multiplyAdd(v, high, b1);
      }
      if (height > 2) {
        v = v128.load32_splat(x, 8);
        a2 = multiplyAdd(v, low, a2);
        b2 = multiplyAdd(v, high, b2);
        v = v128.load32_splat(x, 12);
        a3 = multiplyAdd(v, low, a3);
        b3 = multiplyAdd(v, high, b3);
      }
    }
    w += 32;
    x += <usize>height << 2;
  } while (w < end);
  if (transposed) {
    transpose(a0, a1, a2, a3, y, 16);
    transpose(b0, b1, b2, b3, y + 64, 16);
    return;
  }
  storeRow(y, a0, b0, bias, add, columns);
  if (height > 1 && rows > 1) storeRow(y + yStep, a1, b1, bias, add, columns);
  if (height > 2 && rows > 2) storeRow(y + 2 * yStep, a2, b2, bias, add, columns);
  if (height > 2 && rows > 3) storeRow(y + 3 * yStep, a3, b3, bias, add, columns);
  if (height > 4 && rows > 4) storeRow(y + 4 * yStep, a4, b4, bias, add, columns);
}

export function tile1(x: usize, w: usize, depth: i32, y: usize, bias: usize, add: bool, columns: i32): void {
  tile(1, false, x, w, depth, y, 0, bias, add, 1, columns);
}

export function tile2(
  x: usize, w: usize, depth: i32, y: usize, yStep: usize, bias: usize, add: bool, columns: i32,
): void {
  tile(2, false, x, w, depth, y, yStep, bias, add, 2, columns);
}

/** @param rows rows to store; 3 is possible as well */
export function tile4(
  x: usize, w: usize, depth: i32, y: usize, yStep: usize, bias: usize, add: bool, rows: i32, columns: i32,
): void {
  tile(4, false, x, w, depth, y, yStep, bias, add, rows, columns);
}

export function tile5(
  x: usize, w: usize, depth: i32, y: usize, yStep: usize, bias: usize, add: bool, columns: i32,
): void {
  tile(5, false, x, w, depth, y, yStep, bias, add, 5, columns);
}

/** Sums of four rows and eight outputs, stored as [8][4]. */
export function tileTransposed(x: usize, w: usize, depth: i32, y: usize): void {
  tile(4, true, x, w, depth, y, 0, 0, false, 4, 8);
}
