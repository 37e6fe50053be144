import { highest, rangeHigh, rangeLow, squareHigh, squareLow, sumOfLanes } from './lanes';
import { storeResults } from './results';
import { divisorOf, scaleIsBad, storeScale } from './scales';

// A grid of at most 16 levels in memory, as wasmKernels.ts writes it:
//   0   f32[16] thresholds, +Infinity after the last
//   64  f32[16] levels, the last repeated
//   128 f32[16] inverse widths: entry i belongs to the interval above level i, the last to the one below
//   192 f32 divisor, f32 bottom, f32 top (half an interval beyond the outermost levels)
const LEVELS: usize = 64;
const WIDTHS: usize = 128;
const DIVISOR: usize = 192;
const BOTTOM: usize = 196;
const TOP: usize = 200;

/** Number of thresholds below each lane: the index of its level. */
// @ts-ignore: decorator
@inline
function levelIndex(u: v128, grid: usize): v128 {
  let c = f32x4.gt(u, v128.load32_splat(grid));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 4)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 8)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 12)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 16)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 20)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 24)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 28)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 32)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 36)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 40)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 44)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 48)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 52)));
  c = i32x4.add(c, f32x4.gt(u, v128.load32_splat(grid, 56)));
  return i32x4.neg(c);
}

/** Byte b of each of 16 floats: one of the four planes a byte shuffle can look floats up in. */
// @ts-ignore: decorator
@inline
function plane(table: usize, b: usize): v128 {
  let v = i8x16.splat(0);
  v = i8x16.replace_lane(v, 0, load<u8>(table + b));
  v = i8x16.replace_lane(v, 1, load<u8>(table + b, 4));
  v = i8x16.replace_lane(v, 2, load<u8>(table + b, 8));
  v = i8x16.replace_lane(v, 3, load<u8>(table + b, 12));
  v = i8x16.replace_lane(v, 4, load<u8>(table + b, 16));
  v = i8x16.replace_lane(v, 5, load<u8>(table + b, 20));
  v = i8x16.replace_lane(v, 6, load<u8>(table + b, 24));
  v = i8x16.replace_lane(v, 7, load<u8>(table + b, 28));
  v = i8x16.replace_lane(v, 8, load<u8>(table + b, 32));
  v = i8x16.replace_lane(v, 9, load<u8>(table + b, 36));
  v = i8x16.replace_lane(v, 10, load<u8>(table + b, 40));
  v = i8x16.replace_lane(v, 11, load<u8>(table + b, 44));
  v = i8x16.replace_lane(v, 12, load<u8>(table + b, 48));
  v = i8x16.replace_lane(v, 13, load<u8>(table + b, 52));
  v = i8x16.replace_lane(v, 14, load<u8>(table + b, 56));
  return i8x16.replace_lane(v, 15, load<u8>(table + b, 60));
}

// Interleaving of planes back to floats; `at` is a constant, so each call becomes a few shuffles.
// @ts-ignore: decorator
@inline
function pairLow(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}
// @ts-ignore: decorator
@inline
function pairHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
// @ts-ignore: decorator
@inline
function quadLow(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 0, 8, 1, 9, 2, 10, 3, 11);
}
// @ts-ignore: decorator
@inline
function quadHigh(a: v128, b: v128): v128 {
  return v128.shuffle<u16>(a, b, 4, 12, 5, 13, 6, 14, 7, 15);
}

/**
 * A grid of at most 16 levels with one scale or two. Reference: gridGroup.
 * @param twoScales 1: separate scales for weights ≥ 0 and < 0
 * @param scratch 128 bytes, 16-byte aligned
 */
export function quantizeGrid16(
  x: usize, y: usize, rows: i32, columns: i32, groupSize: i32, grid: usize, twoScales: i32,
  dtype: i32, fixed: i32, fixedLo: f32, fixedHi: f32, scratch: usize, sums: usize,
): void {
  const zero = f32x4.splat(0);
  const l0 = plane(grid + LEVELS, 0), l1 = plane(grid + LEVELS, 1);
  const l2 = plane(grid + LEVELS, 2), l3 = plane(grid + LEVELS, 3);
  const w0 = plane(grid + WIDTHS, 0), w1 = plane(grid + WIDTHS, 1);
  const w2 = plane(grid + WIDTHS, 2), w3 = plane(grid + WIDTHS, 3);
  const divisor = load<f32>(grid, DIVISOR);
  const bottom = f32x4.splat(load<f32>(grid, BOTTOM));
  const top = f32x4.splat(load<f32>(grid, TOP));
  let error01 = zero, error23 = zero, value01 = zero, value23 = zero, step01 = zero, step23 = zero;
  let maxError = zero, underflow = zero, clipped = zero;
  let badScales = 0, oneSigned = 0;

  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupSize) {
      const n = min(groupSize, columns - column);
      let p = x + (<usize>(row * columns + column) << 2);
      let lo = fixed ? fixedLo : rangeLow(p, n);
      let hi = fixed ? fixedHi : rangeHigh(p, n);
      oneSigned += <i32>((lo == 0) != (hi == 0));
      if (lo == 0 && hi == 0) {
        lo = -1;
        hi = 1;
      }
      const exactPositive = (twoScales ? hi : max(hi, -lo)) / divisor;
      const exactNegative = (twoScales ? -lo : max(hi, -lo)) / divisor;
      const positive = storeScale(exactPositive, dtype);
      const negative = storeScale(exactNegative, dtype);
      badScales +=
        scaleIsBad(exactPositive, positive, dtype) | scaleIsBad(exactNegative, negative, dtype);
      const scaleP = f32x4.splat(positive), scaleN = f32x4.splat(negative);
      const divideP = f32x4.splat(divisorOf(positive)), divideN = f32x4.splat(divisorOf(negative));

      let left = n;
      do {
        let source = p;
        if (left < 16) {
          // The rest of a ragged group, padded with zeros, which add nothing to any sum.
          memory.fill(scratch, 0, 64);
          memory.copy(scratch, p, <usize>left << 2);
          source = scratch;
        }
        const target = y ? (left < 16 ? scratch + 64 : p - x + y) : 0;
        const a0 = v128.load(source), a1 = v128.load(source, 16);
        const a2 = v128.load(source, 32), a3 = v128.load(source, 48);
        const n0 = f32x4.lt(a0, zero), n1 = f32x4.lt(a1, zero);
        const n2 = f32x4.lt(a2, zero), n3 = f32x4.lt(a3, zero);
        const u0 = f32x4.div(a0, v128.bitselect(divideN, divideP, n0));
        const u1 = f32x4.div(a1, v128.bitselect(divideN, divideP, n1));
        const u2 = f32x4.div(a2, v128.bitselect(divideN, divideP, n2));
        const u3 = f32x4.div(a3, v128.bitselect(divideN, divideP, n3));
        const index = i8x16.narrow_i16x8_s(
          i16x8.narrow_i32x4_s(levelIndex(u0, grid), levelIndex(u1, grid)),
          i16x8.narrow_i32x4_s(levelIndex(u2, grid), levelIndex(u3, grid)),
        );
        const b0 = i8x16.swizzle(l0, index), b1 = i8x16.swizzle(l1, index);
        const b2 = i8x16.swizzle(l2, index), b3 = i8x16.swizzle(l3, index);
        const bl0 = pairLow(b0, b1), bl1 = pairLow(b2, b3), bh0 = pairHigh(b0, b1), bh1 = pairHigh(b2, b3);
        const v0 = quadLow(bl0, bl1), v1 = quadHigh(bl0, bl1), v2 = quadLow(bh0, bh1), v3 = quadHigh(bh0, bh1);

        // The interval a weight falls in is the one above its level, or the one below.
        const below = i8x16.narrow_i16x8_s(
          i16x8.narrow_i32x4_s(f32x4.lt(u0, v0), f32x4.lt(u1, v1)),
          i16x8.narrow_i32x4_s(f32x4.lt(u2, v2), f32x4.lt(u3, v3)),
        );
        const interval = i8x16.max_s(i8x16.add(index, below), i8x16.splat(0));
        const c0 = i8x16.swizzle(w0, interval), c1 = i8x16.swizzle(w1, interval);
        const c2 = i8x16.swizzle(w2, interval), c3 = i8x16.swizzle(w3, interval);
        const cl0 = pairLow(c0, c1), cl1 = pairLow(c2, c3), ch0 = pairHigh(c0, c1), ch1 = pairHigh(c2, c3);

        let q = f32x4.mul(v0, v128.bitselect(scaleN, scaleP, n0));
        let error = f32x4.sub(q, a0);
        let step = f32x4.mul(f32x4.sub(u0, v0), quadLow(cl0, cl1));
        if (target) v128.store(target, q);
        error01 = f64x2.add(error01, squareLow(error));
        error23 = f64x2.add(error23, squareHigh(error));
        value01 = f64x2.add(value01, squareLow(q));
        value23 = f64x2.add(value23, squareHigh(q));
        step01 = f64x2.add(step01, squareLow(step));
        step23 = f64x2.add(step23, squareHigh(step));
        maxError = f32x4.pmax(maxError, f32x4.abs(error));
        underflow = i32x4.sub(underflow, v128.andnot(f32x4.eq(q, zero), f32x4.eq(a0, zero)));
        clipped = i32x4.sub(clipped, v128.or(f32x4.gt(u0, top), f32x4.lt(u0, bottom)));

        q = f32x4.mul(v1, v128.bitselect(scaleN, scaleP, n1));
        error = f32x4.sub(q, a1);
        step = f32x4.mul(f32x4.sub(u1, v1), quadHigh(cl0, cl1));
        if (target) v128.store(target, q, 16);
        error01 = f64x2.add(error01, squareLow(error));
        error23 = f64x2.add(error23, squareHigh(error));
        value01 = f64x2.add(value01, squareLow(q));
        value23 = f64x2.add(value23, squareHigh(q));
        step01 = f64x2.add(step01, squareLow(step));
        step23 = f64x2.add(step23, squareHigh(step));
        maxError = f32x4.pmax(maxError, f32x4.abs(error));
        underflow = i32x4.sub(underflow, v128.andnot(f32x4.eq(q, zero), f32x4.eq(a1, zero)));
        clipped = i32x4.sub(clipped, v128.or(f32x4.gt(u1, top), f32x4.lt(u1, bottom)));

        q = f32x4.mul(v2, v128.bitselect(scaleN, scaleP, n2));
        error = f32x4.sub(q, a2);
        step = f32x4.mul(f32x4.sub(u2, v2), quadLow(ch0, ch1));
        if (target) v128.store(target, q, 32);
        error01 = f64x2.add(error01, squareLow(error));
        error23 = f64x2.add(error23, squareHigh(error));
        value01 = f64x2.add(value01, squareLow(q));
        value23 = f64x2.add(value23, squareHigh(q));
        step01 = f64x2.add(step01, squareLow(step));
        step23 = f64x2.add(step23, squareHigh(step));
        maxError = f32x4.pmax(maxError, f32x4.abs(error));
        underflow = i32x4.sub(underflow, v128.andnot(f32x4.eq(q, zero), f32x4.eq(a2, zero)));
        clipped = i32x4.sub(clipped, v128.or(f32x4.gt(u2, top), f32x4.lt(u2, bottom)));

        q = f32x4.mul(v3, v128.bitselect(scaleN, scaleP, n3));
        error = f32x4.sub(q, a3);
        step = f32x4.mul(f32x4.sub(u3, v3), quadHigh(ch0, ch1));
        if (target) v128.store(target, q, 48);
        error01 = f64x2.add(error01, squareLow(error));
        error23 = f64x2.add(error23, squareHigh(error));
        value01 = f64x2.add(value01, squareLow(q));
        value23 = f64x2.add(value23, squareHigh(q));
        step01 = f64x2.add(step01, squareLow(step));
        step23 = f64x2.add(step23, squareHigh(step));
        maxError = f32x4.pmax(maxError, f32x4.abs(error));
        underflow = i32x4.sub(underflow, v128.andnot(f32x4.eq(q, zero), f32x4.eq(a3, zero)));
        clipped = i32x4.sub(clipped, v128.or(f32x4.gt(u3, top), f32x4.lt(u3, bottom)));

        if (y && left < 16) memory.copy(p - x + y, scratch + 64, <usize>left << 2);
        p += 64;
        left -= 16;
      } while (left > 0);
    }
  }
  storeResults(
    sums, error01, error23, value01, value23, step01, step23,
    highest(maxError), sumOfLanes(underflow), sumOfLanes(clipped), badScales, oneSigned,
  );
}
