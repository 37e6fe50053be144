import { sigmoid } from '../forward/exponential';
import { loadPart, multiplyAdd, storePart } from '../forward/lanes';

/** Gradient of silu(g)·u by g: d·u·s·(1 + g·(1 − s)), s being sigmoid(g). */
// @ts-ignore: decorator
@inline
function gateGradient(g: v128, u: v128, d: v128, s: v128): v128 {
  const one = f32x4.splat(1);
  const slope = f32x4.mul(s, multiplyAdd(g, f32x4.sub(one, s), one));
  return f32x4.mul(f32x4.mul(d, u), slope);
}

/** See `BackwardKernels.gatedBackward`. Strides in floats. */
export function gatedBackward(
  gate: usize, gateStride: i32, up: usize, upStride: i32, gradient: usize, gradientStride: i32,
  rows: i32, columns: i32,
): void {
  const rest = columns & 3, wide = <usize>(columns & ~3) << 2;
  for (let row = 0; row < rows; row++) {
    for (let i: usize = 0; i < wide; i += 16) {
      const g = v128.load(gate + i), u = v128.load(up + i), d = v128.load(gradient + i);
      const s = sigmoid(g);
      v128.store(gate + i, gateGradient(g, u, d, s));
      v128.store(up + i, f32x4.mul(d, f32x4.mul(g, s)));
    }
    if (rest) {
      const g = loadPart(gate + wide, rest), u = loadPart(up + wide, rest);
      const d = loadPart(gradient + wide, rest), s = sigmoid(g);
      storePart(gate + wide, gateGradient(g, u, d, s), rest);
      storePart(up + wide, f32x4.mul(d, f32x4.mul(g, s)), rest);
    }
    gate += <usize>gateStride << 2;
    up += <usize>upStride << 2;
    gradient += <usize>gradientStride << 2;
  }
}
