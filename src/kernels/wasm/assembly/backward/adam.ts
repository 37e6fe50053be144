import { loadPart, multiplyAdd, storePart } from '../forward/lanes';

/** A weight after a step; the running means are taken on. */
// @ts-ignore: decorator
@inline
function stepped(
  w: v128, m: v128, v: v128, rate: v128, shrink: v128, epsilon: v128, root: v128,
): v128 {
  const divisor = multiplyAdd(f32x4.sqrt(v), root, epsilon);
  return f32x4.sub(f32x4.mul(w, shrink), f32x4.mul(rate, f32x4.div(m, divisor)));
}

/** See `BackwardKernels.adamStep`. @param shrink 1 − rate·decay; rates are those after correction */
export function adamStep(
  weights: usize, gradient: usize, first: usize, second: usize, count: i32,
  rate: f32, beta1: f32, beta2: f32, epsilon: f32, shrink: f32, root: f32,
): void {
  const b1 = f32x4.splat(beta1), c1 = f32x4.splat(1 - beta1);
  const b2 = f32x4.splat(beta2), c2 = f32x4.splat(1 - beta2);
  const a = f32x4.splat(rate), s = f32x4.splat(shrink), e = f32x4.splat(epsilon), r = f32x4.splat(root);
  const rest = count & 3, wide = <usize>(count & ~3) << 2;
  for (let i: usize = 0; i < wide; i += 16) {
    const g = v128.load(gradient + i);
    const m = multiplyAdd(b1, v128.load(first + i), f32x4.mul(c1, g));
    const v = multiplyAdd(b2, v128.load(second + i), f32x4.mul(c2, f32x4.mul(g, g)));
    v128.store(first + i, m);
    v128.store(second + i, v);
    v128.store(weights + i, stepped(v128.load(weights + i), m, v, a, s, e, r));
  }
  if (rest) {
    const g = loadPart(gradient + wide, rest);
    const m = multiplyAdd(b1, loadPart(first + wide, rest), f32x4.mul(c1, g));
    const v = multiplyAdd(b2, loadPart(second + wide, rest), f32x4.mul(c2, f32x4.mul(g, g)));
    storePart(first + wide, m, rest);
    storePart(second + wide, v, rest);
    storePart(weights + wide, stepped(loadPart(weights + wide, rest), m, v, a, s, e, r), rest);
  }
}
