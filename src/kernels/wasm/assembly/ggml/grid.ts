// The sixteen uneven integer levels of iq4_nl and iq4_xs, −127 … 113, looked up without scanning.
// A value is doubled and floored, which keeps its place among the levels' midpoints (halves), and
// shifted to be positive. The upper bits say how many thresholds lie below its stretch of 32; at
// most two more lie within, which are compared with the lower bits. (Level tables: LEVELS in iq4.ts.)

/** 1.5·2^23 + 272: the shifted integer ends up in the low half of the float's bits. */
const SHIFT: f32 = 12583184;

/** Bytes 0 … 15: index of each value among thresholds described by the three tables. */
// @ts-ignore: decorator
@inline
function indexOf(
  d0: v128, d1: v128, d2: v128, d3: v128, below: v128, first: v128, second: v128,
): v128 {
  const shift = f32x4.splat(SHIFT), low16 = i32x4.splat(0xffff);
  const a = i16x8.narrow_i32x4_u(
    v128.and(f32x4.add(f32x4.floor(d0), shift), low16),
    v128.and(f32x4.add(f32x4.floor(d1), shift), low16),
  );
  const b = i16x8.narrow_i32x4_u(
    v128.and(f32x4.add(f32x4.floor(d2), shift), low16),
    v128.and(f32x4.add(f32x4.floor(d3), shift), low16),
  );
  const low5 = i16x8.splat(31);
  const within = i8x16.narrow_i16x8_u(v128.and(a, low5), v128.and(b, low5));
  const stretch = i8x16.min_u(
    i8x16.narrow_i16x8_u(i16x8.shr_u(a, 5), i16x8.shr_u(b, 5)), i8x16.splat(15),
  );
  return i8x16.sub(
    i8x16.sub(i8x16.swizzle(below, stretch), i8x16.gt_s(within, i8x16.swizzle(first, stretch))),
    i8x16.gt_s(within, i8x16.swizzle(second, stretch)),
  );
}

/** Codes of the levels nearest to sixteen values, given doubled, within ±270. */
// @ts-ignore: decorator
@inline
export function nearestCodes(d0: v128, d1: v128, d2: v128, d3: v128): v128 {
  return indexOf(
    d0, d1, d2, d3,
    i8x16(0, 0, 1, 2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15),
    i8x16(127, 8, 20, 27, 29, 27, 22, 15, 6, 21, 14, 10, 9, 13, 25, 127),
    i8x16(127, 127, 127, 127, 127, 127, 127, 127, 29, 127, 127, 127, 127, 127, 127, 127),
  );
}

/** Intervals between levels that sixteen values, given doubled, fall in: 0 … 14. */
// @ts-ignore: decorator
@inline
export function intervals(d0: v128, d1: v128, d2: v128, d3: v128): v128 {
  return indexOf(
    d0, d1, d2, d3,
    i8x16(0, 0, 0, 1, 2, 3, 4, 5, 7, 8, 9, 11, 12, 13, 13, 14),
    i8x16(127, 127, -1, 9, 13, 13, 9, 3, 17, 9, 1, 25, 25, 127, 1, 127),
    i8x16(127, 127, 127, 127, 127, 127, 127, 27, 127, 127, 27, 127, 127, 127, 127, 127),
  );
}

/** Doubled, within the tables' reach; NaN becomes the lowest. */
// @ts-ignore: decorator
@inline
export function doubled(value: v128): v128 {
  return f32x4.pmin(
    f32x4.pmax(f32x4.splat(-270), f32x4.add(value, value)), f32x4.splat(270),
  );
}

// Levels and interval widths are small integers: as f32 only their two upper bytes are not 0.

/** Upper halves of the levels of codes 0 … 7 or, for `upper`, 8 … 15 of the vector. */
// @ts-ignore: decorator
@inline
function halves(upper: bool, codes: v128, byte2: v128, byte3: v128): v128 {
  const a = i8x16.swizzle(byte2, codes), b = i8x16.swizzle(byte3, codes);
  return upper
    ? v128.shuffle<u8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31)
    : v128.shuffle<u8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
export function levelHalves(upper: bool, codes: v128): v128 {
  return halves(
    upper, codes,
    i8x16(-2, -48, -90, -126, 68, 12, -80, 32, -128, 80, -56, 24, 84, -118, -78, -30),
    i8x16(-62, -62, -62, -62, -62, -62, -63, -63, 63, 65, 65, 66, 66, 66, 66, 66),
  );
}

// @ts-ignore: decorator
@inline
export function widthHalves(upper: bool, codes: v128): v128 {
  return halves(
    upper, codes,
    i8x16(-72, -88, -112, -128, 96, 80, 64, 48, 64, 64, 80, 112, -128, -96, -64, 0),
    i8x16.splat(65),
  );
}

/** f32 of the first or last four of eight upper halves. */
// @ts-ignore: decorator
@inline
export function floatsOf(last: bool, words: v128): v128 {
  const zero = i16x8.splat(0);
  return last
    ? v128.shuffle<u16>(zero, words, 4, 12, 5, 13, 6, 14, 7, 15)
    : v128.shuffle<u16>(zero, words, 0, 8, 1, 9, 2, 10, 3, 11);
}
