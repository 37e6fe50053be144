// Extremes of 16-bit floats without decoding: sign and magnitude, so that codes of one sign ascend with
// their magnitudes, as signed integers the positive ones and as unsigned the negative ones.

/** Largest of eight lanes, by the signed order. */
// @ts-ignore: decorator
@inline
function highestSigned(v: v128): i32 {
  v = i16x8.max_s(v, v128.shuffle<u16>(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = i16x8.max_s(v, v128.shuffle<u16>(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  v = i16x8.max_s(v, v128.shuffle<u16>(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
  return <i32>i16x8.extract_lane_s(v, 0);
}

/** Largest of eight lanes, by the unsigned order. */
// @ts-ignore: decorator
@inline
function highestUnsigned(v: v128): i32 {
  v = i16x8.max_u(v, v128.shuffle<u16>(v, v, 4, 5, 6, 7, 0, 1, 2, 3));
  v = i16x8.max_u(v, v128.shuffle<u16>(v, v, 2, 3, 0, 1, 6, 7, 4, 5));
  v = i16x8.max_u(v, v128.shuffle<u16>(v, v, 1, 0, 3, 2, 5, 4, 7, 6));
  return <i32>i16x8.extract_lane_u(v, 0);
}

let positiveCode: i32 = 0;
let negativeCode: i32 = 0;

/** Magnitudes of the extremes of n codes, 0 where a sign does not occur. */
function findCodes(p: usize, n: i32): void {
  const end = p + ((<usize>n) << 1);
  let high = 0;
  let low = 0x8000;
  if (n >= 8) {
    let signed = i16x8.splat(0);
    let unsigned = i16x8.splat(-0x8000);
    for (const wide = p + (((<usize>n) >> 3) << 4); p < wide; p += 16) {
      const codes = v128.load(p);
      signed = i16x8.max_s(signed, codes);
      unsigned = i16x8.max_u(unsigned, codes);
    }
    high = highestSigned(signed);
    low = highestUnsigned(unsigned);
  }
  for (; p < end; p += 2) {
    high = max(high, <i32>load<i16>(p));
    low = max(low, <i32>load<u16>(p));
  }
  positiveCode = high;
  negativeCode = low & 0x7fff;
}

/** The same over the finite codes only. */
function findFiniteCodes(p: usize, n: i32, special: i32): void {
  positiveCode = 0;
  negativeCode = 0;
  for (const end = p + ((<usize>n) << 1); p < end; p += 2) {
    const code = <i32>load<u16>(p);
    const magnitude = code & 0x7fff;
    if (magnitude >= special) continue;
    if (code < 0x8000) positiveCode = max(positiveCode, magnitude);
    else negativeCode = max(negativeCode, magnitude);
  }
}

/**
 * Codes of the largest positive weight and of the magnitude of the most negative one of each group, 0
 * where none; NaN and ±Inf do not count.
 * @param special lowest magnitude that is not finite
 * @param positive u16, one for each group, as `negative`
 */
export function groupExtremes16(
  x: usize, rows: i32, columns: i32, groupSize: i32, special: i32, positive: usize, negative: usize,
): void {
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += groupSize) {
      const n = min(groupSize, columns - column);
      const p = x + ((<usize>(row * columns + column)) << 1);
      findCodes(p, n);
      if (max(positiveCode, negativeCode) >= special) findFiniteCodes(p, n, special);
      store<u16>(positive, positiveCode);
      store<u16>(negative, negativeCode);
      positive += 2;
      negative += 2;
    }
  }
}
