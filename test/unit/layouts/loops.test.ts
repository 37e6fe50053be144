import { expect, test } from 'vitest';
import {
  asNibbles,
  decodeAcross,
  decodeWords,
  lookUpBlock,
  lookUpNibbles,
  unpackDense,
} from '../../../src/layouts/loops.js';

const bytes = Uint8Array.from({ length: 64 }, (_, i) => Math.imul(i + 1, 0x9e37) >>> 3);
const words = new Int32Array(bytes.buffer);
const values = Float32Array.from({ length: 256 }, (_, code) => code - 0.5);

test.each([1, 2, 3, 4, 5, 6, 7, 8])('codes of %i bits are unpacked, however many', (bits) => {
  const code = (index: number) => {
    let value = 0;
    for (let bit = 0; bit < bits; bit++) {
      const at = index * bits + bit;
      value |= ((bytes[at >> 3] >> (at & 7)) & 1) << bit;
    }
    return value;
  };
  for (const count of [1, 2, 7, 31, 64]) {
    const codes = new Uint8Array(count + 3);
    unpackDense(new Uint32Array(bytes.buffer), bits, codes, { count, at: 3 });
    expect([...codes.subarray(3)]).toEqual(Array.from({ length: count }, (_, i) => code(i)));
  }
});

test.each([false, true])('nibbles are looked up from any of them on, high first: %s', (high) => {
  for (let code = 0; code < 20; code++) {
    for (let count = 0; count < 30; count++) {
      const target = new Float32Array(count + 4);
      lookUpNibbles(asNibbles(bytes), values, high, { code, at: 2, count }, target);
      const expected = Array.from({ length: count }, (_, i) => {
        const index = code + i;
        return values[(bytes[index >> 1] >> ((index & 1) === (high ? 1 : 0) ? 0 : 4)) & 15];
      });
      expect([...target]).toEqual([0, 0, ...expected, 0, 0]);
    }
  }
});

test.each([
  { at: 0, count: 4, rows: 3, stride: 8 },
  { at: 1, count: 6, rows: 2, stride: 12 },
  { at: 4, count: 5, rows: 3, stride: 16 },
])('blocks of codes leave what lies around them: %o', (block) => {
  const target = new Float32Array(64);
  lookUpBlock(bytes, values, block, target);
  const isWithin = (i: number) => {
    const row = Math.floor((i - block.at) / block.stride);
    return i >= block.at && row < block.rows && (i - block.at) % block.stride < block.count;
  };
  expect([...target]).toEqual(Array.from(bytes, (code, i) => (isWithin(i) ? values[code] : 0)));
});

test.each([2, 4, 8])('words of %i-bit codes belong to rows in turn', (bits) => {
  const rows = 2;
  const perWord = 32 / bits;
  const target = new Float32Array(3 * perWord + 1);
  const run = { row: 1, firstWord: 2, words: 3, at: 1 };
  decodeWords({ packed: words, rows, bits }, run, 0.1, 3, new Float32Array(16), target);
  const expected = Array.from({ length: 3 * perWord }, (_, i) => {
    const word = words[(2 + Math.floor(i / perWord)) * rows + 1];
    const code = (word >>> ((i % perWord) * bits)) & (2 ** bits - 1);
    return Math.fround(0.1 * (code - 3));
  });
  expect([...target]).toEqual([0, ...expected]);
});

test.each([0, -1])('codes across rows go where each belongs, or nowhere: %i', (first) => {
  const starts = Int32Array.from({ length: 8 }, (_, nibble) => (nibble === 0 ? first : nibble * 5));
  const target = new Float32Array(40);
  decodeAcross(words, { first: 1, step: 3, count: 5 }, values, starts, target);
  const expected = Array.from(target, (_, at) => {
    const [nibble, i] = [Math.floor(at / 5), at % 5];
    if (starts[nibble] < 0) return 0;
    return values[nibble * 16 + ((words[1 + 3 * i] >>> (4 * nibble)) & 15)];
  });
  expect([...target]).toEqual(expected);
});
