import type { Random } from './random.js';

/** Bytes that mean something to readers of text and of binary numbers. */
const INTERESTING = [
  ...[0x00, 0x01, 0x09, 0x0a, 0x0d, 0x1b, 0x20, 0x22, 0x2b, 0x2c, 0x2d, 0x2e, 0x30, 0x39, 0x3a],
  ...[0x5b, 0x5c, 0x5d, 0x65, 0x7b, 0x7d, 0x7f, 0x80, 0xbf, 0xc0, 0xc3, 0xe2, 0xed, 0xef, 0xf4],
  ...[0xfe, 0xff],
];

/** Pieces that are worth more than their single bytes, as latin-1. */
const PIECES = [
  ...[
    '\xef\xbb\xbf',
    '\xed\xa0\x80',
    '\xc0\x80',
    '\xf4\x90\x80\x80',
    '\xe2\x80\xae',
    '\r\n',
    '\0\0',
  ],
  ...['{"', '":', '[[', ']]', '\\u0000', '\\ud800', 'NaN', '-0', '1e999', 'null', '//', '/*'],
  ...['\xff\xff\xff\xff', '\x00\x00\x00\x80', '\xff\xff\xff\xff\xff\xff\xff\x7f'],
].map((text) => Uint8Array.from(text, (character) => character.charCodeAt(0)));

function join(...parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

function changeOnce(bytes: Uint8Array, random: Random, donor: Uint8Array): Uint8Array {
  const at = random.below(bytes.length + 1);
  const length = random.length(bytes.length - at + 1);
  const before = bytes.subarray(0, at);
  const part = bytes.subarray(at, at + length);
  const after = bytes.subarray(at + length);
  switch (random.below(9)) {
    case 0:
      return join(before, after);
    case 1:
      return join(before, part, part, after);
    case 2:
      return before;
    case 3:
      return join(before, random.pick(PIECES), part, after);
    case 4:
      return join(before, random.pick(PIECES), after);
    case 5: {
      const from = random.below(donor.length + 1);
      return join(before, donor.subarray(from, from + random.length(donor.length)), part, after);
    }
    case 6:
      return join(part, before, after);
    default: {
      const changed = Uint8Array.from(bytes);
      if (at === bytes.length) return changed;
      changed[at] = random.chance(0.5)
        ? random.pick(INTERESTING)
        : changed[at] ^ (1 << random.below(8));
      return changed;
    }
  }
}

/** Bytes with a few changes: bits, pieces deleted, doubled, moved, cut off, or taken from `donor`. */
export function mutateBytes(bytes: Uint8Array, random: Random, donor = bytes): Uint8Array {
  let changed = bytes;
  for (let count = random.length(5); count > 0; count--)
    changed = changeOnce(changed, random, donor);
  return changed;
}
