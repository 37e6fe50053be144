import { decay } from '../forward/exponential';
import { loadPart, multiplyAdd, storePart } from '../forward/lanes';

/** factor·((1 − γ)·(q − p) + γ·q·(log q − log p − reverse)) of four lanes, from the logarithms. */
// @ts-ignore: decorator
@inline
function divergenceGradient(logQ: v128, logP: v128, reverse: v128, gamma: v128, rest: v128): v128 {
  const q = decay(logQ), p = decay(logP);
  const forward = f32x4.mul(rest, f32x4.sub(q, p));
  const back = f32x4.mul(q, f32x4.sub(f32x4.sub(logQ, logP), reverse));
  return multiplyAdd(gamma, back, forward);
}

/**
 * See `BackwardKernels.logitGradient`. Strides in floats; `teacher` may be 0 (none).
 * @param parameters f64 [rows × 3]: both sums' logarithms, and the reverse divergence
 */
export function logitGradient(
  student: usize, stride: i32, teacher: usize, teacherStride: i32, rows: i32, columns: i32,
  parameters: usize, gamma: f32, factor: f32,
): void {
  const f = f32x4.splat(factor);
  const backWeight = f32x4.splat(gamma * factor), forwardWeight = f32x4.splat((1 - gamma) * factor);
  const part = columns & 3, wide = <usize>(columns & ~3) << 2;
  for (let row = 0; row < rows; row++, parameters += 24) {
    const x = f32x4.splat(<f32>load<f64>(parameters));
    const b = f32x4.splat(<f32>load<f64>(parameters, 8));
    const reverse = f32x4.splat(<f32>load<f64>(parameters, 16));
    if (teacher) {
      for (let i: usize = 0; i < wide; i += 16) {
        const logQ = f32x4.sub(v128.load(student + i), x), logP = f32x4.sub(v128.load(teacher + i), b);
        v128.store(student + i, divergenceGradient(logQ, logP, reverse, backWeight, forwardWeight));
      }
      if (part) {
        const logQ = f32x4.sub(loadPart(student + wide, part), x);
        const logP = f32x4.sub(loadPart(teacher + wide, part), b);
        storePart(
          student + wide, divergenceGradient(logQ, logP, reverse, backWeight, forwardWeight), part,
        );
      }
      teacher += <usize>teacherStride << 2;
    } else {
      for (let i: usize = 0; i < wide; i += 16) {
        v128.store(student + i, f32x4.mul(decay(f32x4.sub(v128.load(student + i), x)), f));
      }
      if (part) storePart(student + wide, f32x4.mul(decay(f32x4.sub(loadPart(student + wide, part), x)), f), part);
    }
    student += <usize>stride << 2;
  }
}
