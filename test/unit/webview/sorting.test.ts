import { expect, it } from 'vitest';
import { nextSorting, sortRows } from '../../../webview/comparison/sorting.js';

it('sort with what is unknown at the end, both ways', () => {
  const values = [3, undefined, Infinity, 1, NaN];
  const sorted = (direction: 'ascending' | 'descending') =>
    sortRows(values, (value) => value, direction);
  expect(sorted('ascending')).toEqual([1, 3, Infinity, undefined, NaN]);
  expect(sorted('descending')).toEqual([Infinity, 3, 1, undefined, NaN]);
  const once = nextSorting(undefined, 'mse', 'ascending');
  const twice = nextSorting(once, 'mse', 'ascending');
  expect([once?.direction, twice?.direction, nextSorting(twice, 'mse', 'ascending')]).toEqual([
    'ascending',
    'descending',
    undefined,
  ]);
});

it('sort texts in counting order, whatever their case', () => {
  const names = [
    'layers.10',
    'Layers.2',
    'lm_head',
    'layers.02',
    'layers.9.1000000000',
    'layers.9.9',
  ];
  expect(sortRows(names, (name) => name, 'ascending')).toEqual([
    'Layers.2',
    'layers.02',
    'layers.9.9',
    'layers.9.1000000000',
    'layers.10',
    'lm_head',
  ]);
});
