// What the searches keep in the caller's scratch memory, as byte offsets. 6144 bytes, 16-aligned.
//
// Four sub-blocks are searched at once, one per lane: a vector holds the i-th weight of each, so
// every lane adds up its sums in the order of its weights, as ggml does.

/** Up to 32 vectors are one such quartet; where two are searched together the second follows. */
export const QUARTET: usize = 512;
/** Two quartets each: the weights, two products of theirs, and a candidate's codes. */
export const WEIGHTS: usize = 0;
export const PRODUCT1: usize = 1024;
export const PRODUCT2: usize = 2048;
export const TRIAL: usize = 2048;
/** f32[16] each, by sub-block: what the search found. */
export const SCALES: usize = 3072;
export const MINS: usize = 3136;
/** f32[16] each: the weights' codes in that fit are (w − base)·inverse, rounded. */
export const INVERSES: usize = 3200;
export const BASES: usize = 3264;
/** f32[16] each: scales and offsets as the packed block decodes them. */
export const STORED_SCALES: usize = 3328;
export const STORED_OFFSETS: usize = 3392;
/** u8[16] each: integers of the scales and minima. */
export const SCALE_CODES: usize = 3456;
export const MIN_CODES: usize = 3472;
/** u8[256]. */
export const CODES: usize = 3584;
/** f32[256]: levels of all sub-blocks, four sub-blocks to a vector. */
export const LEVELS: usize = 3840;
/** Vectors of a search under way, 512 bytes for each of two quartets. */
export const STATE: usize = 4864;

/** Writes the weights of four sub-blocks of n at a, b, c, d as n vectors. */
export function interleave(a: usize, b: usize, c: usize, d: usize, n: i32, out: usize): void {
  const end = out + (<usize>n << 4);
  do {
    const va = v128.load(a), vb = v128.load(b), vc = v128.load(c), vd = v128.load(d);
    const ab = v128.shuffle<u32>(va, vb, 0, 4, 1, 5), cd = v128.shuffle<u32>(vc, vd, 0, 4, 1, 5);
    const ab2 = v128.shuffle<u32>(va, vb, 2, 6, 3, 7), cd2 = v128.shuffle<u32>(vc, vd, 2, 6, 3, 7);
    v128.store(out, v128.shuffle<u64>(ab, cd, 0, 2));
    v128.store(out, v128.shuffle<u64>(ab, cd, 1, 3), 16);
    v128.store(out, v128.shuffle<u64>(ab2, cd2, 0, 2), 32);
    v128.store(out, v128.shuffle<u64>(ab2, cd2, 1, 3), 48);
    a += 16;
    b += 16;
    c += 16;
    d += 16;
    out += 64;
  } while (out < end);
}

/** The same for four sub-blocks that follow each other. */
// @ts-ignore: decorator
@inline
export function interleaveFour(x: usize, n: i32, out: usize): void {
  const size = <usize>n << 2;
  interleave(x, x + size, x + 2 * size, x + 3 * size, n, out);
}

/** The first weight of largest magnitude in each lane of n vectors. */
// @ts-ignore: decorator
@inline
export function extremes(weights: usize, n: i32): v128 {
  let extreme = f32x4.splat(0);
  const end = weights + (<usize>n << 4);
  do {
    const w = v128.load(weights);
    extreme = v128.bitselect(w, extreme, f32x4.gt(f32x4.abs(w), f32x4.abs(extreme)));
    weights += 16;
  } while (weights < end);
  return extreme;
}
