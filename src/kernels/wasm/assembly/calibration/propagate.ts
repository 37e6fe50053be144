import { addTile, multiplyAddWide, subtractProduct, subtractTile } from './tile';

/** Columns whose errors are propagated at once. */
const SLICE: i32 = 256;

/**
 * Tiles [⌈columns/4⌉][rows][4] of rows `row` to `rowEnd` of a unit factor: column k times inverses[k],
 * zeros where a column is lacking.
 */
function packFactor(
  u: usize, order: i32, inverses: usize, row: i32, rowEnd: i32, first: i32, end: i32, target: usize,
): void {
  const step = <usize>order << 3;
  for (let k = first; k < end; k += 4) {
    const scale = inverses + (<usize>k << 3);
    let from = u + ((<usize>row * order + k) << 3);
    if (k + 4 <= end) {
      const low = v128.load(scale), high = v128.load(scale, 16);
      for (let j = row; j < rowEnd; j++, from += step, target += 32) {
        v128.store(target, f64x2.mul(v128.load(from), low));
        v128.store(target, f64x2.mul(v128.load(from, 16), high), 16);
      }
    } else {
      const columns = end - k;
      for (let j = row; j < rowEnd; j++, from += step, target += 32) {
        for (let i = 0; i < 4; i++) {
          const at = <usize>i << 3;
          store<f64>(target + at, i < columns ? load<f64>(from + at) * load<f64>(scale + at) : 0);
        }
      }
    }
  }
}

/** See `CalibrationKernels.propagate`. */
export function propagate(
  u: usize, order: i32, inverses: usize, errors: usize, panels: i32, depth: i32,
  first: i32, end: i32, target: usize, scratch: usize,
): void {
  const tiles = (end - first + 3) >> 2;
  for (let row = 0; row < depth; row += SLICE) {
    const rows = min(SLICE, depth - row);
    packFactor(u, order, inverses, row, row + rows, first, end, scratch);
    let from = errors + (<usize>row << 5), to = target;
    for (let panel = 0; panel < panels; panel++, from += <usize>order << 5) {
      let tile = scratch;
      for (let q = 0; q < tiles; q++, tile += <usize>rows << 5, to += 128) {
        addTile(tile, from, rows, to, 32);
      }
    }
  }
}

/** Tiles of the rows and columns of a run of a unit factor. */
export function packWindow(
  u: usize, order: i32, inverses: usize, first: i32, end: i32, target: usize,
): void {
  packFactor(u, order, inverses, first, end, first, end, target);
}

/** Adds a column's values, times `sign`, to later ones of its tile. */
// @ts-ignore: decorator
@inline
function spreadColumn(subtract: bool, factor: usize, from: usize, target: usize, column: i32, end: i32): void {
  const a = v128.load(from), b = v128.load(from, 16);
  for (let k = column + 1; k < end; k++) {
    const r = v128.load64_splat(factor + (<usize>(k & 3) << 3));
    const to = target + (<usize>k << 5);
    v128.store(to, subtract ? subtractProduct(r, a, v128.load(to)) : multiplyAddWide(r, a, v128.load(to)));
    v128.store(to, subtract ? subtractProduct(r, b, v128.load(to, 16)) : multiplyAddWide(r, b, v128.load(to, 16)), 16);
  }
}

/** See `CalibrationKernels.substitute`. */
export function substitute(factor: usize, width: i32, panels: i32, target: usize): void {
  const tileBytes = <usize>width << 5;
  const tiles = (width + 3) >> 2;
  for (let panel = 0; panel < panels; panel++, target += <usize>tiles << 7) {
    let tile = factor;
    for (let k = 0; k < width; k += 4, tile += tileBytes) {
      if (k > 0) subtractTile(tile, target, k, target + (<usize>k << 5), 32);
      const end = min(k + 4, width);
      for (let j = k; j < end; j++) {
        spreadColumn(true, tile + (<usize>j << 5), target + (<usize>j << 5), target, j, end);
      }
    }
  }
}

/** See `CalibrationKernels.gather`. @param column a multiple of 4 */
export function gather(
  factor: usize, width: i32, panels: i32, target: usize, errors: usize, step: usize, column: i32,
): void {
  if (column == 0) return;
  const tile = factor + <usize>(column >> 2) * (<usize>width << 5);
  const panelStep = <usize>((width + 3) >> 2) << 7;
  target += <usize>column << 5;
  for (let panel = 0; panel < panels; panel++, target += panelStep, errors += step) {
    addTile(tile, errors, column, target, 32);
  }
}

/** See `CalibrationKernels.spread`. */
export function spread(
  factor: usize, width: i32, panels: i32, target: usize, errors: usize, step: usize, column: i32,
): void {
  const row = factor + <usize>(column >> 2) * (<usize>width << 5) + (<usize>column << 5);
  const panelStep = <usize>((width + 3) >> 2) << 7;
  const end = min((column & ~3) + 4, width);
  errors += <usize>column << 5;
  for (let panel = 0; panel < panels; panel++, target += panelStep, errors += step) {
    spreadColumn(false, row, errors, target, column, end);
  }
}
