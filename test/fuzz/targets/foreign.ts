import { recognizeForeign } from '../../../src/safetensors/foreignFiles.js';
import { bytesOf, withPart, type Input } from '../input.js';
import { mutateBytes } from '../mutateBytes.js';
import { promise, promiseOneLine, type FuzzTarget } from '../target.js';

const FILE = 'file.bin';
const LONGEST = 300;

const BEGINNINGS = [
  ...[
    'GGUF\x03\0\0\0',
    '\x89HDF\r\n\x1a\n',
    '\x93NUMPY',
    '\x1f\x8b\x08',
    'PK\x03\x04..data.pkl',
    'PK\x03\x04x.npy',
  ],
  ...[
    '\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19.',
    '\0\0\0\0\0\0\0\0',
    '<!DOCTYPE html><html>',
    '<?xml version="1.0"?>',
  ],
  ...[
    '{"error": "not found"}',
    '\xef\xbb\xbf  {"a":1}',
    'Not found, sorry\n',
    '\0\0\0\0TFL3',
    '%PDF-1.7',
  ],
  'version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 123\n',
  `${'\0'.repeat(257)}ustar`,
];

/** Files that are no safetensors files: told in one short line, or not known. */
export const foreign: FuzzTarget = {
  name: 'foreign',
  seeds: () =>
    BEGINNINGS.map((text): Input => {
      return [{ name: FILE, bytes: Uint8Array.from(text, (each) => each.charCodeAt(0)) }];
    }),
  mutate(input, random, pool) {
    const bytes = mutateBytes(bytesOf(input, FILE), random, bytesOf(random.pick(pool), FILE));
    if (!random.chance(0.01)) return withPart(input, FILE, bytes);
    // White space, letters and the like by the megabyte.
    const long = new Uint8Array(random.length(1 << 21)).fill(
      random.pick([0x20, 0x0a, 0x3c, 0x41, 0, 0x39]),
    );
    long.set(bytes.subarray(0, long.length));
    return withPart(input, FILE, long);
  },
  check(input) {
    const what = recognizeForeign(bytesOf(input, FILE));
    if (what === undefined) return false;
    promiseOneLine(what);
    promise(what.length <= LONGEST, `the description has ${what.length} characters`);
    return true;
  },
};
