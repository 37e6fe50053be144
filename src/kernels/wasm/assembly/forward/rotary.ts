/** Rotates elements 2i and 2i + 1 of a head. @param half bytes of its cosines */
function rotatePairs(head: usize, half: usize, cos: usize, sin: usize): void {
  for (let i: usize = 0; i < half; i += 4) {
    const at = head + (i << 1);
    const x = load<f32>(at), y = load<f32>(at + 4);
    const c = load<f32>(cos + i), s = load<f32>(sin + i);
    store<f32>(at, x * c - y * s);
    store<f32>(at + 4, y * c + x * s);
  }
}

/**
 * Rotates elements i and i + dims/2 of every head, i < dims/2; interleaved: 2i and 2i + 1. Strides in floats.
 * @param cos, sin f32 [rows × dims/2]
 */
export function rotate(
  values: usize, stride: i32, rows: i32, heads: i32, headStride: i32, dims: i32, cos: usize, sin: usize,
  interleaved: bool,
): void {
  const half = <usize>(dims >> 1) << 2, wide = half & ~15;
  for (let row = 0; row < rows; row++) {
    let first = values;
    for (let head = 0; head < heads; head++) {
      if (interleaved) {
        rotatePairs(first, half, cos, sin);
        first += <usize>headStride << 2;
        continue;
      }
      const second = first + half;
      let i: usize = 0;
      for (; i < wide; i += 16) {
        const x = v128.load(first + i), y = v128.load(second + i);
        const c = v128.load(cos + i), s = v128.load(sin + i);
        v128.store(first + i, f32x4.sub(f32x4.mul(x, c), f32x4.mul(y, s)));
        v128.store(second + i, f32x4.add(f32x4.mul(y, c), f32x4.mul(x, s)));
      }
      for (; i < half; i += 4) {
        const x = load<f32>(first + i), y = load<f32>(second + i);
        const c = load<f32>(cos + i), s = load<f32>(sin + i);
        store<f32>(first + i, x * c - y * s);
        store<f32>(second + i, y * c + x * s);
      }
      first += <usize>headStride << 2;
    }
    values += <usize>stride << 2;
    cos += half;
    sin += half;
  }
}
