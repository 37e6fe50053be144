import { decay } from '../forward/exponential';
import { addWide, highestLane, loadPart, promoteHigh, storePart, sumOfWideLanes } from '../forward/lanes';

/** Writes −Infinity over n floats. */
function exclude(p: usize, n: i32): void {
  for (const end = p + (<usize>n << 2); p < end; p += 4) store<f32>(p, -Infinity);
}

/** Softmax of factor·x over n floats, in place; −Infinity becomes 0. */
function softmaxRow(p: usize, n: i32, factor: f32): void {
  const f = f32x4.splat(factor), rest = n & 3, wide = p + (<usize>(n & ~3) << 2);
  let top = f32x4.splat(-Infinity);
  for (let at = p; at < wide; at += 16) top = f32x4.pmax(top, v128.load(at));
  let largest = highestLane(top);
  for (let i = 0; i < rest; i++) largest = max(largest, load<f32>(wide + (<usize>i << 2)));
  const t = f32x4.splat(largest);
  let sums = f64x2.splat(0);
  for (let at = p; at < wide; at += 16) {
    const e = decay(f32x4.mul(f32x4.sub(v128.load(at), t), f));
    v128.store(at, e);
    sums = addWide(sums, e);
  }
  let sum = sumOfWideLanes(sums);
  if (rest) {
    const e = decay(f32x4.mul(f32x4.sub(loadPart(wide, rest), t), f));
    storePart(wide, e, rest);
    for (let i = 0; i < rest; i++) sum += <f64>load<f32>(wide + (<usize>i << 2));
  }
  const share = <f32>(1 / sum), s = f32x4.splat(share);
  for (let at = p; at < wide; at += 16) v128.store(at, f32x4.mul(v128.load(at), s));
  if (rest) storePart(wide, f32x4.mul(loadPart(wide, rest), s), rest);
}

/** See `BackwardKernels.causalSoftmax`. Stride in floats; scale > 0. */
export function causalSoftmax(
  scores: usize, stride: i32, rows: i32, columns: i32, first: i32, window: i32, scale: f32,
): void {
  for (let row = 0; row < rows; row++, scores += <usize>stride << 2) {
    const end = min(first + row + 1, columns);
    if (window > 0) exclude(scores, min(max(0, end - window), columns));
    exclude(scores + (<usize>end << 2), columns - end);
    softmaxRow(scores, columns, scale);
  }
}

/** See `BackwardKernels.softmaxBackward`. Strides in floats. */
export function softmaxBackward(
  probabilities: usize, stride: i32, gradient: usize, gradientStride: i32,
  rows: i32, columns: i32, scale: f32,
): void {
  const f = f32x4.splat(scale), rest = columns & 3, wide = <usize>(columns & ~3) << 2;
  for (let row = 0; row < rows; row++) {
    let even = f64x2.splat(0), odd = even;
    for (let i: usize = 0; i < wide; i += 16) {
      const p = v128.load(probabilities + i), d = v128.load(gradient + i);
      even = f64x2.add(even, f64x2.mul(f64x2.promote_low_f32x4(p), f64x2.promote_low_f32x4(d)));
      odd = f64x2.add(odd, f64x2.mul(promoteHigh(p), promoteHigh(d)));
    }
    let dot = sumOfWideLanes(f64x2.add(even, odd));
    for (let i: usize = 0; i < <usize>rest << 2; i += 4) {
      dot += <f64>load<f32>(probabilities + wide + i) * <f64>load<f32>(gradient + wide + i);
    }
    const mean = f32x4.splat(<f32>dot);
    for (let i: usize = 0; i < wide; i += 16) {
      const d = f32x4.sub(v128.load(gradient + i), mean);
      v128.store(gradient + i, f32x4.mul(f32x4.mul(v128.load(probabilities + i), f), d));
    }
    if (rest) {
      const d = f32x4.sub(loadPart(gradient + wide, rest), mean);
      storePart(gradient + wide, f32x4.mul(f32x4.mul(loadPart(probabilities + wide, rest), f), d), rest);
    }
    probabilities += <usize>stride << 2;
    gradient += <usize>gradientStride << 2;
  }
}
