import { loadPart, promoteHigh, storePart, sumOfWideLanes } from './lanes';

/** Σ(x − shift)² in f64 over n floats. */
export function sumSquares(p: usize, n: i32, shift: f64): f64 {
  const s = f64x2.splat(shift);
  let even = f64x2.splat(0), odd = even;
  const wide = p + (<usize>(n & ~3) << 2), end = p + (<usize>n << 2);
  for (; p < wide; p += 16) {
    const v = v128.load(p);
    const low = f64x2.sub(f64x2.promote_low_f32x4(v), s), high = f64x2.sub(promoteHigh(v), s);
    even = f64x2.add(even, f64x2.mul(low, low));
    odd = f64x2.add(odd, f64x2.mul(high, high));
  }
  let sum = sumOfWideLanes(f64x2.add(even, odd));
  for (; p < end; p += 4) {
    const d = <f64>load<f32>(p) - shift;
    sum += d * d;
  }
  return sum;
}

/** Σx in f64 over n floats. */
function sumValues(p: usize, n: i32): f64 {
  let even = f64x2.splat(0), odd = even;
  const wide = p + (<usize>(n & ~3) << 2), end = p + (<usize>n << 2);
  for (; p < wide; p += 16) {
    const v = v128.load(p);
    even = f64x2.add(even, f64x2.promote_low_f32x4(v));
    odd = f64x2.add(odd, promoteHigh(v));
  }
  let sum = sumOfWideLanes(f64x2.add(even, odd));
  for (; p < end; p += 4) sum += <f64>load<f32>(p);
  return sum;
}

/** (x − mean)·factor of four lanes, computed in f64. */
// @ts-ignore: decorator
@inline
function normalize(v: v128, mean: v128, factor: v128): v128 {
  const low = f64x2.mul(f64x2.sub(f64x2.promote_low_f32x4(v), mean), factor);
  const high = f64x2.mul(f64x2.sub(promoteHigh(v), mean), factor);
  return v128.shuffle<u64>(
    f32x4.demote_f64x2_zero(low), f32x4.demote_f64x2_zero(high), 0, 2,
  );
}

/**
 * (x − mean)·factor·(weight + offset) + bias over a row; weight and bias may be 0 (none).
 */
function normalizeRow(
  p: usize, n: i32, mean: f64, factor: f64, weight: usize, offset: f32, bias: usize, target: usize,
): void {
  const m = f64x2.splat(mean), f = f64x2.splat(factor), o = f32x4.splat(offset);
  const rest = n & 3, wide = p + (<usize>(n & ~3) << 2);
  while (p < wide) {
    let v = normalize(v128.load(p), m, f);
    if (weight) {
      v = f32x4.mul(v, f32x4.add(v128.load(weight), o));
      weight += 16;
    }
    if (bias) {
      v = f32x4.add(v, v128.load(bias));
      bias += 16;
    }
    v128.store(target, v);
    p += 16;
    target += 16;
  }
  if (rest) {
    let v = normalize(loadPart(p, rest), m, f);
    if (weight) v = f32x4.mul(v, f32x4.add(loadPart(weight, rest), o));
    if (bias) v = f32x4.add(v, loadPart(bias, rest));
    storePart(target, v, rest);
  }
}

/** x / √(mean(x²) + epsilon) · (weight + offset) per row. Strides in floats. */
export function rmsNorm(
  source: usize, stride: i32, rows: i32, columns: i32, weight: usize, offset: f32, epsilon: f64,
  target: usize, targetStride: i32,
): void {
  for (let row = 0; row < rows; row++) {
    const factor = 1 / sqrt(sumSquares(source, columns, 0) / columns + epsilon);
    normalizeRow(source, columns, 0, factor, weight, offset, 0, target);
    source += <usize>stride << 2;
    target += <usize>targetStride << 2;
  }
}

/** (x − mean) / √(variance + epsilon) · weight + bias per row. Strides in floats. */
export function layerNorm(
  source: usize, stride: i32, rows: i32, columns: i32, weight: usize, bias: usize, epsilon: f64,
  target: usize, targetStride: i32,
): void {
  for (let row = 0; row < rows; row++) {
    const mean = sumValues(source, columns) / columns;
    const factor = 1 / sqrt(sumSquares(source, columns, mean) / columns + epsilon);
    normalizeRow(source, columns, mean, factor, weight, 0, bias, target);
    source += <usize>stride << 2;
    target += <usize>targetStride << 2;
  }
}
