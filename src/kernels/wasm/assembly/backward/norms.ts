import { loadPart, multiplyAdd, promoteHigh, storePart, sumOfWideLanes } from '../forward/lanes';
import { sumSquares } from '../forward/norms';

/** Σ gradient·(weight + offset)·x in f64 over n floats. */
function sumProducts(x: usize, gradient: usize, weight: usize, offset: f32, n: i32): f64 {
  const o = f32x4.splat(offset);
  let even = f64x2.splat(0), odd = even;
  const rest = n & 3, wide = x + (<usize>(n & ~3) << 2);
  for (; x < wide; x += 16, gradient += 16, weight += 16) {
    const scaled = f32x4.mul(v128.load(gradient), f32x4.add(v128.load(weight), o));
    const v = v128.load(x);
    even = f64x2.add(even, f64x2.mul(f64x2.promote_low_f32x4(scaled), f64x2.promote_low_f32x4(v)));
    odd = f64x2.add(odd, f64x2.mul(promoteHigh(scaled), promoteHigh(v)));
  }
  let sum = sumOfWideLanes(f64x2.add(even, odd));
  for (let i = 0; i < rest; i++, x += 4, gradient += 4, weight += 4) {
    sum += <f64>(load<f32>(gradient) * (load<f32>(weight) + offset)) * <f64>load<f32>(x);
  }
  return sum;
}

/** target + factor·gradient·(weight + offset) − share·x. */
// @ts-ignore: decorator
@inline
function addGradient(target: v128, gradient: v128, weight: v128, x: v128, factor: v128, share: v128): v128 {
  target = multiplyAdd(f32x4.mul(gradient, weight), factor, target);
  return multiplyAdd(x, share, target);
}

/** See `BackwardKernels.rmsNormBackward`. Strides in floats. */
export function rmsNormBackward(
  source: usize, stride: i32, gradient: usize, gradientStride: i32, rows: i32, columns: i32,
  weight: usize, offset: f32, epsilon: f64, target: usize, targetStride: i32,
): void {
  const o = f32x4.splat(offset), rest = columns & 3, wide = <usize>(columns & ~3) << 2;
  for (let row = 0; row < rows; row++) {
    const factor = 1 / sqrt(sumSquares(source, columns, 0) / columns + epsilon);
    const dot = sumProducts(source, gradient, weight, offset, columns);
    const f = f32x4.splat(<f32>factor);
    const share = f32x4.splat(<f32>((-factor * factor * factor * dot) / columns));
    for (let i: usize = 0; i < wide; i += 16) {
      const w = f32x4.add(v128.load(weight + i), o);
      const sum = addGradient(
        v128.load(target + i), v128.load(gradient + i), w, v128.load(source + i), f, share,
      );
      v128.store(target + i, sum);
    }
    if (rest) {
      const w = f32x4.add(loadPart(weight + wide, rest), o);
      const sum = addGradient(
        loadPart(target + wide, rest), loadPart(gradient + wide, rest), w,
        loadPart(source + wide, rest), f, share,
      );
      storePart(target + wide, sum, rest);
    }
    source += <usize>stride << 2;
    gradient += <usize>gradientStride << 2;
    target += <usize>targetStride << 2;
  }
}
