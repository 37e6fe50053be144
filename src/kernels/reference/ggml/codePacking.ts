// How codes of 1, 2 and 4 bits share bytes. A run of codes is split into equal stretches, and byte i
// holds the i-th code of each stretch, the first stretch in the lowest bits.

/**
 * Packs `bits` of each code, from bit `shift` on.
 * @param stretch codes per stretch; 8/bits stretches share a run of `stretch` bytes
 */
export function packCodes(
  codes: Uint8Array,
  bits: 1 | 2 | 4,
  stretch: number,
  bytes: Uint8Array,
  shift = 0,
): void {
  const perByte = 8 / bits;
  const run = stretch * perByte;
  const mask = 2 ** bits - 1;
  bytes.fill(0);
  codes.forEach((code, i) => {
    const byte = Math.floor(i / run) * stretch + (i % stretch);
    const place = Math.floor((i % run) / stretch) * bits;
    bytes[byte] |= ((code >> shift) & mask) << place;
  });
}

/** Adds what {@link packCodes} packed to `codes`, at bit `shift`. */
export function unpackCodes(
  bytes: Uint8Array,
  bits: 1 | 2 | 4,
  stretch: number,
  codes: Uint8Array,
  shift = 0,
): void {
  const run = (stretch * 8) / bits;
  const mask = 2 ** bits - 1;
  codes.forEach((_, i) => {
    const byte = Math.floor(i / run) * stretch + (i % stretch);
    const place = Math.floor((i % run) / stretch) * bits;
    codes[i] |= ((bytes[byte] >> place) & mask) << shift;
  });
}
