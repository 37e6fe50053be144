import { describe, expect, it } from 'vitest';
import { formatMethodTable } from '../../../src/cli/methodTable.js';

const cell = (
  numberFormat: string,
  method: string | undefined,
  text: string,
  activations?: string,
) => ({ label: numberFormat, numberFormat, method, activations, text });

describe('numbers by number format and method', () => {
  it('have a row for each format and a column for each method', () => {
    const table = formatMethodTable('Perplexity', [
      { label: 'INT3 g128', text: '9.5' },
      cell('INT3 g128', 'GPTQ', '9.1'),
      cell('NF3 g128', 'GPTQ', '9.0'),
      cell('NF3 g128', 'GPTQ', '9.2', 'A8'),
    ]);
    expect(table.split('\n').map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['Perplexity', 'nearest', 'GPTQ'],
      ['INT3 g128', '9.5', '9.1'],
      ['NF3 g128', '9.0'],
      ['NF3 g128 · A8', '9.2'],
      [''],
    ]);
  });

  it('are no table of one row or one column', () => {
    expect(formatMethodTable('', [cell('a', undefined, '1'), cell('b', undefined, '2')])).toBe('');
    expect(formatMethodTable('', [cell('a', undefined, '1'), cell('a', 'GPTQ', '2')])).toBe('');
  });
});
