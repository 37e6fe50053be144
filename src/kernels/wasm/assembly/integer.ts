import { highest, rangeHigh, rangeLow, squareHigh, squareLow, sumOfLanes } from './lanes';
import { storeResults } from './results';
import { divisorOf, scaleIsBad, storeScale } from './scales';

const UNIFORM: i32 = 0;
const DENORMAL: i32 = 1;

/**
 * Integer rules with one scale and a zero point; `rule` is a constant at every call, so each export
 * below becomes a loop of its own. Reference: integerGroup and denormalIntegerGroup.
 * @param x weights [rows × columns], finite; @param y result, or 0
 * @param top highest integer code; @param special denormal level (DENORMAL only)
 * @param fixed 1: take the range from lo, hi instead of the group
 * @param scratch 32 bytes, 16-byte aligned; @param sums see results.ts
 */
// @ts-ignore: decorator
@inline
function quantize(
  rule: i32,
  x: usize,
  y: usize,
  rows: i32,
  columns: i32,
  groupSize: i32,
  top: f32,
  symmetricZero: f32,
  special: f32,
  dtype: i32,
  fixed: i32,
  fixedLo: f32,
  fixedHi: f32,
  scratch: usize,
  sums: usize,
): void {
  const zero = f32x4.splat(0);
  const one = f32x4.splat(1);
  const vtop = f32x4.splat(top);
  const sign = i32x4.splat(<i32>0x80000000);
  const vspecial = f32x4.splat(special);
  const insideWidth = f32x4.splat(<f32>1 / special);
  const outsideWidth = f32x4.splat(<f32>1 / (<f32>1 - special));
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
      let exactScale: f32;
      if (rule == DENORMAL) {
        const span: f64 = symmetricZero >= 0 ? 2 * <f64>max(hi, -lo) : <f64>hi - <f64>lo;
        exactScale = <f32>(span / <f64>top);
      } else {
        if (symmetricZero >= 0) {
          hi = max(-lo, hi);
          if (lo < 0) lo = -hi;
        }
        exactScale = (hi - lo) / top;
      }
      const scale = storeScale(exactScale, dtype);
      badScales += scaleIsBad(exactScale, scale, dtype);
      const divisor = divisorOf(scale);
      const zeroPoint =
        symmetricZero >= 0 ? symmetricZero : min(max(nearest<f32>(-lo / divisor), 0), top);
      const vscale = f32x4.splat(scale);
      const vdivisor = f32x4.splat(divisor);
      const vzeroPoint = f32x4.splat(zeroPoint);
      const floor = f32x4.splat(min(-zeroPoint, -special));
      const ceiling = f32x4.splat(max(top - zeroPoint, special));

      let left = n;
      do {
        let source = p;
        if (left < 4) {
          // The rest of a ragged group, padded with zeros, which add nothing to any sum.
          v128.store(scratch, zero);
          memory.copy(scratch, p, <usize>left << 2);
          source = scratch;
        }
        const w = v128.load(source);
        const scaled = f32x4.div(w, vdivisor);
        const unclamped = f32x4.add(f32x4.nearest(scaled), vzeroPoint);
        const code = f32x4.pmin(f32x4.pmax(unclamped, zero), vtop);
        let level = f32x4.sub(code, vzeroPoint);
        let outside = f32x4.ne(code, unclamped);
        let stepError: v128;
        if (rule == DENORMAL) {
          const denormal = v128.or(vspecial, v128.and(f32x4.lt(scaled, zero), sign));
          const nearer = f32x4.lt(
            f32x4.abs(f32x4.sub(scaled, denormal)),
            f32x4.abs(f32x4.sub(scaled, level)),
          );
          level = v128.bitselect(denormal, level, nearer);
          outside = v128.andnot(outside, nearer);
          const inside = f32x4.abs(f32x4.pmin(f32x4.pmax(scaled, floor), ceiling));
          const width = v128.bitselect(
            insideWidth,
            v128.bitselect(outsideWidth, one, f32x4.le(inside, one)),
            f32x4.le(inside, vspecial),
          );
          stepError = f32x4.mul(f32x4.sub(scaled, level), width);
        } else {
          stepError = f32x4.sub(scaled, level);
        }
        const q = f32x4.mul(vscale, level);
        const error = f32x4.sub(q, w);
        error01 = f64x2.add(error01, squareLow(error));
        error23 = f64x2.add(error23, squareHigh(error));
        value01 = f64x2.add(value01, squareLow(q));
        value23 = f64x2.add(value23, squareHigh(q));
        step01 = f64x2.add(step01, squareLow(stepError));
        step23 = f64x2.add(step23, squareHigh(stepError));
        maxError = f32x4.pmax(maxError, f32x4.abs(error));
        underflow = i32x4.sub(underflow, v128.andnot(f32x4.eq(q, zero), f32x4.eq(w, zero)));
        clipped = i32x4.sub(clipped, outside);
        if (y) {
          if (left < 4) {
            v128.store(scratch, q, 16);
            memory.copy(p - x + y, scratch + 16, <usize>left << 2);
          } else {
            v128.store(p - x + y, q);
          }
        }
        p += 16;
        left -= 4;
      } while (left > 0);
    }
  }
  storeResults(
    sums, error01, error23, value01, value23, step01, step23,
    highest(maxError), sumOfLanes(underflow), sumOfLanes(clipped), badScales, oneSigned,
  );
}

/** Rule `integer`. @param symmetricZero zero point of the symmetric variant, or −1 */
export function quantizeInteger(
  x: usize, y: usize, rows: i32, columns: i32, groupSize: i32, top: f32, symmetricZero: f32,
  dtype: i32, fixed: i32, lo: f32, hi: f32, scratch: usize, sums: usize,
): void {
  quantize(
    UNIFORM, x, y, rows, columns, groupSize, top, symmetricZero, 0.5,
    dtype, fixed, lo, hi, scratch, sums,
  );
}

/** Rule `denormal-integer`. */
export function quantizeDenormalInteger(
  x: usize, y: usize, rows: i32, columns: i32, groupSize: i32, top: f32, symmetricZero: f32,
  special: f32, dtype: i32, fixed: i32, lo: f32, hi: f32, scratch: usize, sums: usize,
): void {
  quantize(
    DENORMAL, x, y, rows, columns, groupSize, top, symmetricZero, special,
    dtype, fixed, lo, hi, scratch, sums,
  );
}
