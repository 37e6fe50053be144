/** Types of 16 bits that an f32 may hold the values of. */
export type NarrowerType = 'BF16' | 'F16';

/** Bits of {@link findNarrowerTypes}. */
const BF16 = 1;
const F16 = 2;

/** What {@link findNarrowerTypes} gives where nothing was looked at yet. */
export const ANY_NARROWER_TYPE = BF16 | F16;

/**
 * Which types of 16 bits have all of these values, so that storing them as such would lose nothing. Ends at
 * the first values that neither has, which are among the first of nearly all weights.
 * @param bits of f32 values
 * @returns one bit for each type; those of several parts are joined by `&`
 */
export function findNarrowerTypes(bits: Uint32Array): number {
  let found = ANY_NARROWER_TYPE;
  for (let i = 0; i < bits.length && found !== 0; i++) {
    if (found & BF16 && (bits[i] & 0xffff) !== 0) found &= ~BF16;
    if (found & F16 && !isF16(bits[i])) found &= ~F16;
  }
  return found;
}

/** The type to name, of those found; undefined where there is none. */
export function nameNarrowerType(found: number): NarrowerType | undefined {
  if (found & BF16) return 'BF16';
  return found & F16 ? 'F16' : undefined;
}

function isF16(bits: number): boolean {
  const exponent = (bits >>> 23) & 0xff;
  const mantissa = bits & 0x7fffff;
  if (exponent === 0) return mantissa === 0;
  if (exponent > 142) return exponent === 255 && mantissa === 0;
  // Below 2^-14 a binary16 has a bit less for each power of two, down to 2^-24.
  const lost = exponent >= 113 ? 13 : 13 + 113 - exponent;
  return lost <= 23 && (mantissa & ((1 << lost) - 1)) === 0;
}
