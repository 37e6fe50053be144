import { multiply } from '../forward/matrix';
import { lastTile, packColumns, TILE } from '../forward/packing';
import { promoteHigh } from '../forward/lanes';

/** Rows of inputs whose products are added up in f32. */
const RUN: i32 = 256;
/** Columns that a band meets at once. */
const SLICE: i32 = 256;
/** Rows of a packed band, at most. */
const BAND: i32 = 160;

/** Tiles [⌈columns/TILE⌉][rows][TILE] of some columns, as `multiply` takes its inputs. */
export function packBand(source: usize, step: usize, rows: i32, columns: i32, target: usize): void {
  for (let m = 0; m < columns; m += TILE, source += <usize>TILE << 2) {
    const count = min(TILE, columns - m);
    let p = source;
    if (count == TILE) {
      for (let row = 0; row < rows; row++, p += step, target += <usize>TILE << 2) {
        v128.store(target, v128.load(p));
        store<f32>(target, load<f32>(p, 16), 16);
      }
      continue;
    }
    const height = lastTile(count);
    for (let row = 0; row < rows; row++, p += step, target += <usize>height << 2) {
      for (let i = 0; i < height; i++) {
        const at = <usize>i << 2;
        store<f32>(target + at, i < count ? load<f32>(p + at) : 0);
      }
    }
  }
}

/** target += source, f64 and f32. */
function addFloats(source: usize, count: i32, target: usize): void {
  const wide = source + (<usize>(count & ~3) << 2), end = source + (<usize>count << 2);
  for (; source < wide; source += 16, target += 32) {
    const v = v128.load(source);
    v128.store(target, f64x2.add(v128.load(target), f64x2.promote_low_f32x4(v)));
    v128.store(target, f64x2.add(v128.load(target, 16), promoteHigh(v)), 16);
  }
  for (; source < end; source += 4, target += 8) {
    store<f64>(target, load<f64>(target) + <f64>load<f32>(source));
  }
}

/** See `CalibrationKernels.addGram`. */
export function addGram(
  x: usize, stride: i32, rows: i32, gram: usize, order: i32, first: i32, end: i32, scratch: usize,
): void {
  const band = end - first, step = <usize>stride << 2;
  const panels = scratch + (<usize>(BAND * RUN) << 2);
  const products = panels + (<usize>(SLICE * RUN) << 2);
  for (let row = 0; row < rows; row += RUN) {
    const depth = min(RUN, rows - row);
    const from = x + <usize>row * step;
    packBand(from + (<usize>first << 2), step, depth, band, scratch);
    for (let column = first; column < order; column += SLICE) {
      const columns = min(SLICE, order - column);
      packColumns(from + (<usize>column << 2), stride, columns, depth, panels);
      multiply(scratch, panels, 0, products, SLICE, band, columns, depth, false);
      let source = products, target = gram + ((<usize>first * order + column) << 3);
      for (let i = 0; i < band; i++, source += <usize>SLICE << 2, target += <usize>order << 3) {
        addFloats(source, columns, target);
      }
    }
  }
}

/** See `CalibrationKernels.addStatistics`. @param x the first of the columns, as all addresses */
export function addStatistics(
  x: usize, stride: i32, rows: i32, columns: i32, sums: usize, lows: usize, highs: usize,
): void {
  const wide = columns & ~3;
  for (let row = 0; row < rows; row++, x += <usize>stride << 2) {
    let p = x, sum = sums, low = lows, high = highs;
    for (let i = 0; i < wide; i += 4, p += 16, sum += 32, low += 16, high += 16) {
      const v = v128.load(p), size = f32x4.abs(v);
      v128.store(sum, f64x2.add(v128.load(sum), f64x2.promote_low_f32x4(size)));
      v128.store(sum, f64x2.add(v128.load(sum, 16), promoteHigh(size)), 16);
      v128.store(low, f32x4.min(v128.load(low), v));
      v128.store(high, f32x4.max(v128.load(high), v));
    }
    for (let i = wide; i < columns; i++, p += 4, sum += 8, low += 4, high += 4) {
      const v = load<f32>(p);
      store<f64>(sum, load<f64>(sum) + <f64>abs(v));
      store<f32>(low, min(load<f32>(low), v));
      store<f32>(high, max(load<f32>(high), v));
    }
  }
}
