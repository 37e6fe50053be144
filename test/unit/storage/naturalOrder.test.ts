import { expect, test } from 'vitest';
import { sortNaturally } from '../../../src/storage/naturalOrder.js';

const sorted = (...texts: string[]) => sortNaturally(texts, (text) => text);

test('numbers in names come in the order of their values, wherever they stand', () => {
  expect(sorted('layers.10.w', 'layers.2.w', 'layers.1.w')).toEqual([
    'layers.1.w',
    'layers.2.w',
    'layers.10.w',
  ]);
  expect(sorted('13.x', '9.x', '100')).toEqual(['9.x', '13.x', '100']);
  expect(sorted('a12345678901234567890', 'a9', 'a')).toEqual(['a', 'a9', 'a12345678901234567890']);
});
