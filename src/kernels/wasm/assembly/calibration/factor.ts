import { packRowsWide, subtractProduct, subtractTile, unpackRows } from './tile';

/** Columns of a block, at most; rows of a band. */
const BLOCK: i32 = 128;
/** Rows that are packed at once. */
const SLICE: i32 = 256;

// @ts-ignore: decorator
@inline
function entry(h: usize, order: i32, row: i32, column: i32): usize {
  return h + ((<usize>row * order + column) << 3);
}

/**
 * Factors a block on the diagonal in place, from its last column to its first.
 * @param floors f64 [end − first]; @returns false where a pivot is not above its floor
 */
export function factorDiagonal(
  h: usize, order: i32, first: i32, end: i32, floors: usize, scratch: usize,
): bool {
  const n = end - first;
  // Columns as rows: column k of the block is what row k holds, up to the diagonal.
  const row: usize = <usize>BLOCK << 3;
  for (let i = 0; i < n; i++) {
    let from = entry(h, order, first + i, first + i);
    for (let k = i; k < n; k++, from += 8) store<f64>(scratch + <usize>k * row + (<usize>i << 3), load<f64>(from));
  }
  for (let k = n - 1; k >= 0; k--) {
    const column = scratch + <usize>k * row;
    const pivot = load<f64>(column + (<usize>k << 3));
    if (!(pivot > load<f64>(floors + (<usize>k << 3)))) return false;
    const root = sqrt(pivot);
    store<f64>(column + (<usize>k << 3), root);
    for (let i = 0; i < k; i++) {
      const at = column + (<usize>i << 3);
      store<f64>(at, load<f64>(at) / root);
    }
    for (let j = 0; j < k; j++) {
      const factor = v128.load64_splat(column + (<usize>j << 3));
      let to = scratch + <usize>j * row, from = column;
      // One double beyond the diagonal is nobody's.
      const last = to + (<usize>j << 3);
      while (to <= last) {
        v128.store(to, subtractProduct(factor, v128.load(from), v128.load(to)));
        to += 16;
        from += 16;
      }
    }
  }
  for (let i = 0; i < n; i++) {
    let to = entry(h, order, first + i, first + i);
    for (let k = i; k < n; k++, to += 8) store<f64>(to, load<f64>(scratch + <usize>k * row + (<usize>i << 3)));
  }
  return true;
}

/** Column k of a panel becomes what the factor's row below it leaves, for columns from `low` to k. */
// @ts-ignore: decorator
@inline
function solveColumn(h: usize, order: i32, first: i32, panel: usize, k: i32, low: i32): void {
  const at = panel + (<usize>k << 5);
  const diagonal = v128.load64_splat(entry(h, order, first + k, first + k));
  const a = f64x2.div(v128.load(at), diagonal), b = f64x2.div(v128.load(at, 16), diagonal);
  v128.store(at, a);
  v128.store(at, b, 16);
  for (let j = low; j < k; j++) {
    const u = v128.load64_splat(entry(h, order, first + j, first + k));
    const to = panel + (<usize>j << 5);
    v128.store(to, subtractProduct(u, a, v128.load(to)));
    v128.store(to, subtractProduct(u, b, v128.load(to, 16)), 16);
  }
}

/** Rows above a factored block become those of the factor. @param rowEnd a multiple of 4, as rowFirst */
export function solveRows(
  h: usize, order: i32, first: i32, end: i32, rowFirst: i32, rowEnd: i32, scratch: usize,
): void {
  const n = end - first, whole = n & ~3;
  const step = <usize>order << 3, panelBytes = <usize>n << 5;
  const panel = scratch + (<usize>(BLOCK * BLOCK) << 3);
  packRowsWide(entry(h, order, first, first), step, whole, n, scratch);
  for (let m = rowFirst; m < rowEnd; m += 4) {
    const at = entry(h, order, m, first);
    packRowsWide(at, step, 4, n, panel);
    for (let k = n - 1; k >= whole; k--) solveColumn(h, order, first, panel, k, whole);
    for (let k = whole - 4; k >= 0; k -= 4) {
      const after = <usize>(k + 4) << 5;
      const depth = n - k - 4;
      if (depth > 0) {
        subtractTile(
          scratch + <usize>(k >> 2) * panelBytes + after, panel + after, depth, panel + (<usize>k << 5), 32,
        );
      }
      for (let i = k + 3; i >= k; i--) solveColumn(h, order, first, panel, i, k);
    }
    unpackRows(panel, n, at, step);
  }
}

/** A tile on the diagonal: what is below it stays. */
function subtractUpper(x: usize, w: usize, depth: i32, out: usize, step: usize, scratch: usize): void {
  for (let i: usize = 0; i < 128; i += 16) v128.store(scratch + i, f64x2.splat(0));
  subtractTile(x, w, depth, scratch, 32);
  for (let i: usize = 0; i < 4; i++) {
    for (let j = i; j < 4; j++) {
      const to = out + i * step + (j << 3);
      store<f64>(to, load<f64>(to) + load<f64>(scratch + (i << 5) + (j << 3)));
    }
  }
}

/** Takes a block's part out of some rows left of it, on and above the diagonal; all multiples of 4. */
export function updateRows(
  h: usize, order: i32, first: i32, end: i32, rowFirst: i32, rowEnd: i32, scratch: usize,
): void {
  const depth = end - first, panelBytes = <usize>depth << 5;
  const step = <usize>order << 3;
  const other = scratch + (<usize>(BLOCK * BLOCK) << 3);
  const corner = other + (<usize>(BLOCK * SLICE) << 3);
  packRowsWide(entry(h, order, rowFirst, first), step, rowEnd - rowFirst, depth, scratch);
  for (let slice = rowFirst; slice < first; slice += SLICE) {
    const sliceEnd = min(slice + SLICE, first);
    packRowsWide(entry(h, order, slice, first), step, sliceEnd - slice, depth, other);
    let w = other;
    for (let n = slice; n < sliceEnd; n += 4, w += panelBytes) {
      let x = scratch, out = entry(h, order, rowFirst, n);
      const last = min(rowEnd, n);
      for (let m = rowFirst; m < last; m += 4, x += panelBytes, out += step << 2) {
        subtractTile(x, w, depth, out, step);
      }
      if (n < rowEnd) subtractUpper(x, w, depth, out, step, corner);
    }
  }
}

/** Copies what lies right of the diagonal in some rows to below it, or back. */
export function copyTriangle(h: usize, order: i32, first: i32, end: i32, toLower: bool): void {
  const step = <usize>order << 3;
  // Sixteen columns at a time: the lines of both sides stay in the cache.
  for (let column = first + 1; column < order; column += 16) {
    const columnEnd = min(column + 16, order);
    for (let i = first; i < end; i++) {
      const from = max(column, i + 1);
      let upper = entry(h, order, i, from), lower = entry(h, order, from, i);
      for (let j = from; j < columnEnd; j++, upper += 8, lower += step) {
        if (toLower) store<f64>(lower, load<f64>(upper));
        else store<f64>(upper, load<f64>(lower));
      }
    }
  }
}
