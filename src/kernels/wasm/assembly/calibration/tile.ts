// Blocks of four rows and four columns of f64. A packed panel is [depth][4].

/** a·b + c, in one rounding where the build has fused multiply-add. */
// @ts-ignore: decorator
@inline
export function multiplyAddWide(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_madd(a, b, c);
  return f64x2.add(f64x2.mul(a, b), c);
}

/** c − a·b, likewise. */
// @ts-ignore: decorator
@inline
export function subtractProduct(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f64x2.relaxed_nmadd(a, b, c);
  return f64x2.sub(c, f64x2.mul(a, b));
}

// @ts-ignore: decorator
@inline
function storeRow(subtract: bool, out: usize, low: v128, high: v128): void {
  const a = v128.load(out), b = v128.load(out, 16);
  v128.store(out, subtract ? f64x2.sub(a, low) : f64x2.add(a, low));
  v128.store(out, subtract ? f64x2.sub(b, high) : f64x2.add(b, high), 16);
}

/**
 * out[m][n] ± Σ x[d][m]·w[d][n]: eight sums, which with what they need fit the registers.
 * @param depth ≥ 1; @param step bytes between rows of the output
 */
// @ts-ignore: decorator
@inline
function tile(subtract: bool, x: usize, w: usize, depth: i32, out: usize, step: usize): void {
  let a0 = f64x2.splat(0), a1 = a0, a2 = a0, a3 = a0;
  let b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  const end = x + (<usize>depth << 5);
  do {
    const low = v128.load(w), high = v128.load(w, 16);
    let v = v128.load64_splat(x);
    a0 = multiplyAddWide(v, low, a0);
    b0 = multiplyAddWide(v, high, b0);
    v = v128.load64_splat(x, 8);
    a1 = multiplyAddWide(v, low, a1);
    b1 = multiplyAddWide(v, high, b1);
    v = v128.load64_splat(x, 16);
    a2 = multiplyAddWide(v, low, a2);
    b2 = multiplyAddWide(v, high, b2);
    v = v128.load64_splat(x, 24);
    a3 = multiplyAddWide(v, low, a3);
    b3 = multiplyAddWide(v, high, b3);
    x += 32;
    w += 32;
  } while (x < end);
  storeRow(subtract, out, a0, b0);
  storeRow(subtract, out + step, a1, b1);
  storeRow(subtract, out + 2 * step, a2, b2);
  storeRow(subtract, out + 3 * step, a3, b3);
}

export function addTile(x: usize, w: usize, depth: i32, out: usize, step: usize): void {
  tile(false, x, w, depth, out, step);
}

export function subtractTile(x: usize, w: usize, depth: i32, out: usize, step: usize): void {
  tile(true, x, w, depth, out, step);
}

/** Panels [rows/4][depth][4] of rows whose doubles follow each other. @param rows a multiple of 4 */
export function packRowsWide(source: usize, step: usize, rows: i32, depth: i32, target: usize): void {
  for (let m = 0; m < rows; m += 4, source += step << 2) {
    let p = source, q = p + step, r = q + step, s = r + step;
    const wide = p + (<usize>(depth & ~1) << 3);
    while (p < wide) {
      const a = v128.load(p), b = v128.load(q), c = v128.load(r), d = v128.load(s);
      v128.store(target, v128.shuffle<u64>(a, b, 0, 2));
      v128.store(target, v128.shuffle<u64>(c, d, 0, 2), 16);
      v128.store(target, v128.shuffle<u64>(a, b, 1, 3), 32);
      v128.store(target, v128.shuffle<u64>(c, d, 1, 3), 48);
      p += 16; q += 16; r += 16; s += 16;
      target += 64;
    }
    if (depth & 1) {
      store<f64>(target, load<f64>(p));
      store<f64>(target, load<f64>(q), 8);
      store<f64>(target, load<f64>(r), 16);
      store<f64>(target, load<f64>(s), 24);
      target += 32;
    }
  }
}

/** Writes a panel [depth][4] back to four rows. */
export function unpackRows(panel: usize, depth: i32, target: usize, step: usize): void {
  for (let i = 0; i < depth; i++, panel += 32, target += 8) {
    store<f64>(target, load<f64>(panel));
    store<f64>(target + step, load<f64>(panel, 8));
    store<f64>(target + 2 * step, load<f64>(panel, 16));
    store<f64>(target + 3 * step, load<f64>(panel, 24));
  }
}
