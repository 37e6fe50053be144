// The inner loops of decoding. They are functions of their own, and not async: engines compile the loops of
// async functions badly. Integers stay signed and of 32 bits where they can, since unsigned ones become doubles.
const { fround } = Math;

/**
 * Codes of `bits` bits that follow each other without gaps, the first in the lowest bits.
 * @param words 32-bit words of one row
 * @param bits 1 to 8
 * @param codes gets `count` codes, from `at` on
 */
export function unpackDense(
  words: Uint32Array,
  bits: number,
  codes: Uint8Array,
  { count, at = 0 }: { readonly count: number; readonly at?: number },
): void {
  const bytes = new Uint8Array(words.buffer, words.byteOffset, Math.ceil((count * bits) / 8));
  if (bits === 8) codes.set(bytes, at);
  else if (bits === 4) unpackNibbles(bytes, codes, at, count);
  else unpackBits(bytes, bits, codes, at, count);
}

function unpackNibbles(bytes: Uint8Array, codes: Uint8Array, at: number, count: number): void {
  const end = at + count - 1;
  let byte = 0;
  for (; at < end; at += 2) {
    const pair = bytes[byte++];
    codes[at] = pair & 15;
    codes[at + 1] = pair >>> 4;
  }
  if (at === end) codes[at] = bytes[byte] & 15;
}

function unpackBits(
  bytes: Uint8Array,
  bits: number,
  codes: Uint8Array,
  at: number,
  count: number,
): void {
  const mask = (1 << bits) - 1;
  const end = at + count;
  let [waiting, held, byte] = [0, 0, 0];
  for (; at < end; at++) {
    if (held < bits) {
      waiting |= bytes[byte++] << held;
      held += 8;
    }
    codes[at] = waiting & mask;
    waiting >>= bits;
    held -= bits;
  }
}

/** Some codes of a row, all of one group. */
export interface Run {
  /** First code, and the first value in the target. */
  readonly code: number;
  readonly at: number;
  readonly count: number;
}

/** Like {@link lookUpBlock}, each value times a scale: for blocks that a table of their own would not pay for. */
export function scaleBlock(
  codes: Uint8Array,
  values: Float32Array,
  scale: number,
  { at, count, rows, stride }: Block,
  target: Float32Array,
): void {
  const factor = fround(scale);
  for (let row = 0, first = at; row < rows; row++, first += stride) {
    for (let i = first; i < first + count; i++) target[i] = fround(values[codes[i]] * factor);
  }
}

/**
 * The values of codes of 8 bits in a block of several rows: `rows` runs that stand `stride` codes and values apart.
 * @param values of all 256 codes
 */
export function lookUpBlock(
  codes: Uint8Array,
  values: Float32Array,
  { at, count, rows, stride }: Block,
  target: Float32Array,
): void {
  if ((at | count | stride | codes.byteOffset) & 3) {
    for (let row = 0, first = at; row < rows; row++, first += stride) {
      for (let i = first; i < first + count; i++) target[i] = values[codes[i]];
    }
    return;
  }
  // Four codes are read at once.
  const words = new Int32Array(codes.buffer, codes.byteOffset, codes.length >>> 2);
  for (let row = 0, first = at; row < rows; row++, first += stride) {
    const end = first + count;
    for (let i = first; i < end; i += 4) {
      const word = words[i >> 2];
      target[i] = values[word & 255];
      target[i + 1] = values[(word >> 8) & 255];
      target[i + 2] = values[(word >> 16) & 255];
      target[i + 3] = values[(word >> 24) & 255];
    }
  }
}

/** A rectangle of a row-major matrix, of codes and values alike. */
export interface Block {
  readonly at: number;
  readonly count: number;
  readonly rows: number;
  readonly stride: number;
}

/** Each code less a zero point, times a scale; rounded once. */
export function scaleDifferences(
  codes: Uint8Array | Int8Array,
  zero: number,
  scale: number,
  { code, at, count }: Run,
  target: Float32Array,
): void {
  for (let i = 0; i < count; i++) target[at + i] = (codes[code + i] - zero) * scale;
}

/** A scale times each code, plus a bias; rounded once. */
export function scaleAndAdd(
  codes: Uint8Array,
  scale: number,
  bias: number,
  { code, at, count }: Run,
  target: Float32Array,
): void {
  for (let i = 0; i < count; i++) target[at + i] = scale * codes[code + i] + bias;
}

/** Bytes of two codes of 4 bits each. */
export interface Nibbles {
  readonly bytes: Uint8Array;
  /** The same, as far as they fill words. */
  readonly words: Int32Array;
}

/** Bytes as {@link lookUpNibbles} wants them. @param bytes of an address that words may have */
export function asNibbles(bytes: Uint8Array): Nibbles {
  return { bytes, words: new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2) };
}

/**
 * The values of 4-bit codes, two to a byte.
 * @param values of the 16 codes
 * @param highFirst whether the first of two codes has the high bits
 * @param run `code` and `at` count codes; any of them may stand in the middle of a byte
 */
export function lookUpNibbles(
  { bytes, words }: Nibbles,
  values: Float32Array,
  highFirst: boolean,
  { code, at, count }: Run,
  target: Float32Array,
): void {
  const shift = highFirst ? 4 : 0;
  const end = at + count;
  // The nibble of a code by itself.
  const single = (index: number) => (bytes[index >>> 1] >>> (index & 1 ? 4 - shift : shift)) & 15;
  if (code & 1 && at < end) target[at++] = values[single(code++)];
  let byte = code >>> 1;
  if ((byte & 3) === 0) {
    const last = 4 - shift;
    for (; at < end - 7; at += 8, byte += 4) {
      const word = words[byte >> 2];
      target[at] = values[(word >> shift) & 15];
      target[at + 1] = values[(word >> last) & 15];
      target[at + 2] = values[(word >> (8 + shift)) & 15];
      target[at + 3] = values[(word >> (8 + last)) & 15];
      target[at + 4] = values[(word >> (16 + shift)) & 15];
      target[at + 5] = values[(word >> (16 + last)) & 15];
      target[at + 6] = values[(word >> (24 + shift)) & 15];
      target[at + 7] = values[(word >> (24 + last)) & 15];
    }
  }
  for (; at < end - 1; at += 2) {
    const pair = bytes[byte++];
    target[at] = values[(pair >>> shift) & 15];
    target[at + 1] = values[(pair >>> (4 - shift)) & 15];
  }
  if (at < end) target[at] = values[single(byte << 1)];
}

/** Words of several rows, each with codes of 2, 4 or 8 bits along the row: word by word, the rows' words together. */
export interface PackedRows {
  /** [words × rows] */
  readonly packed: Int32Array;
  readonly rows: number;
  readonly bits: number;
}

/** Some words of one row, all of one group. */
export interface WordRun {
  readonly row: number;
  readonly firstWord: number;
  readonly words: number;
  /** First value in the target. */
  readonly at: number;
}

/** A scale times each code less its zero point. @param values scratch for the values of a group's codes [16] */
export function decodeWords(
  { packed, rows, bits }: PackedRows,
  { row, firstWord, words, at }: WordRun,
  scale: number,
  zero: number,
  values: Float32Array,
  target: Float32Array,
): void {
  const end = (firstWord + words) * rows + row;
  let from = firstWord * rows + row;
  if (bits === 4) {
    for (let code = 0; code < 16; code++) values[code] = scale * (code - zero);
    for (; from < end; from += rows, at += 8) {
      const word = packed[from];
      target[at] = values[word & 15];
      target[at + 1] = values[(word >> 4) & 15];
      target[at + 2] = values[(word >> 8) & 15];
      target[at + 3] = values[(word >> 12) & 15];
      target[at + 4] = values[(word >> 16) & 15];
      target[at + 5] = values[(word >> 20) & 15];
      target[at + 6] = values[(word >> 24) & 15];
      target[at + 7] = values[(word >> 28) & 15];
    }
  } else if (bits === 8) {
    for (; from < end; from += rows, at += 4) {
      const word = packed[from];
      target[at] = scale * ((word & 255) - zero);
      target[at + 1] = scale * (((word >> 8) & 255) - zero);
      target[at + 2] = scale * (((word >> 16) & 255) - zero);
      target[at + 3] = scale * (((word >> 24) & 255) - zero);
    }
  } else {
    const mask = (1 << bits) - 1;
    for (; from < end; from += rows) {
      const word = packed[from];
      for (let shift = 0; shift < 32; shift += bits) {
        target[at++] = scale * (((word >> shift) & mask) - zero);
      }
    }
  }
}

/**
 * Words of eight 4-bit codes, each of another row, down the inputs of one group.
 * @param first where the first word stands; the following ones stand `step` words apart
 * @param values of each nibble's sixteen codes, nibble by nibble [8 × 16]
 * @param starts where each nibble's values go, the lowest first; negative: nowhere
 */
export function decodeAcross(
  packed: Int32Array,
  { first, step, count }: { readonly first: number; readonly step: number; readonly count: number },
  values: Float32Array,
  starts: Int32Array,
  target: Float32Array,
): void {
  if (starts.some((start) => start < 0)) {
    for (let nibble = 0; nibble < 8; nibble++) {
      const start = starts[nibble];
      if (start < 0) continue;
      for (let i = 0, at = first; i < count; i++, at += step) {
        target[start + i] = values[nibble * 16 + ((packed[at] >>> (4 * nibble)) & 15)];
      }
    }
    return;
  }
  const [a, b, c, d, e, f, g, h] = starts;
  for (let i = 0, at = first; i < count; i++, at += step) {
    const word = packed[at];
    target[a + i] = values[word & 15];
    target[b + i] = values[16 + ((word >> 4) & 15)];
    target[c + i] = values[32 + ((word >> 8) & 15)];
    target[d + i] = values[48 + ((word >> 12) & 15)];
    target[e + i] = values[64 + ((word >> 16) & 15)];
    target[f + i] = values[80 + ((word >> 20) & 15)];
    target[g + i] = values[96 + ((word >> 24) & 15)];
    target[h + i] = values[112 + ((word >> 28) & 15)];
  }
}
