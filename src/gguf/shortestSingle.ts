/**
 * The number with the fewest digits that single precision rounds to the same value: what a writer meant by
 * the 0.00000999999974737875163555 that its single-precision number stands for.
 */
export function shortestSingle(value: number): number {
  if (!Number.isFinite(value)) return value;
  for (let digits = 6; digits <= 8; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return short;
  }
  return Number(value.toPrecision(9));
}
