import { describe, expect, test } from 'vitest';
import { formatComparison } from '../../../src/cli/comparisonText.js';
import {
  formatCount,
  formatFixed,
  formatPercent,
  formatScientific,
  formatSignificant,
  formatSize,
} from '../../../src/cli/numbers.js';
import { formatSizeIn, chooseSizeUnit } from '../../../src/cli/numbers.js';
import { ProgressLine } from '../../../src/cli/progress.js';
import { formatTable } from '../../../src/cli/tables.js';
import type { ComparisonReport } from '../../../src/reports/reports.js';
import { measures } from '../../support/measures.js';

describe('numbers', () => {
  test('whole numbers are grouped by three', () => {
    expect([0, 12, 1536, 3145728, -4096].map(formatCount)).toEqual([
      '0',
      '12',
      '1,536',
      '3,145,728',
      '−4,096',
    ]);
  });

  test('minus is a true minus, also in exponents', () => {
    expect(formatFixed(-0.5, 2)).toBe('−0.50');
    expect(formatScientific(0.0001642)).toBe('1.64e−4');
    expect(formatSignificant(-0.42966)).toBe('−0.4297');
    expect(formatSignificant(-1.64e-4)).toBe('−1.64e−4');
  });

  test('what is no finite number is named', () => {
    expect([NaN, Infinity, -Infinity].map((value) => formatFixed(value, 2))).toEqual([
      'NaN',
      '∞',
      '−∞',
    ]);
    expect(formatScientific(Infinity)).toBe('∞');
  });

  test('a share that is there is never shown as nothing', () => {
    expect([0, 0.0001, 0.0005, 0.142, 1].map(formatPercent)).toEqual([
      '0.0',
      '< 0.1',
      '0.1',
      '14.2',
      '100.0',
    ]);
  });

  test('sizes are in units of 1024, one unit a column', () => {
    expect([100, 4088, 65536, 393216, 1572864, 7.3e9].map(formatSize)).toEqual([
      '100 B',
      '4,088 B',
      '64 KB',
      '384 KB',
      '1.50 MB',
      '6.80 GB',
    ]);
    expect(chooseSizeUnit([1634304, 1597440])).toBe('KB');
    expect(chooseSizeUnit([16343040, 1597440])).toBe('MB');
    expect([1634304, 408576, 1024].map((bytes) => formatSizeIn(bytes, 'KB'))).toEqual([
      '1,596',
      '399.0',
      '1.0',
    ]);
  });
});

test('a table aligns text left and figures right, by code points', () => {
  const columns = [
    { title: 'Format', align: 'left' },
    { title: 'dB', align: 'right' },
  ] as const;
  expect(formatTable(columns, [['int4', '∞'], ['𝔸', '−19.75'], ['x']])).toBe(
    'Format      dB\n' + 'int4         ∞\n' + '𝔸       −19.75\n' + 'x\n',
  );
});

function tensorComparison(name: string, sqnrDb: number) {
  return {
    name,
    layer: '',
    nameInLayer: name,
    transposed: false,
    sumSquares: 1,
    shape: [2, 128],
    parameters: 256,
    ...measures({ mse: 1e-5, sqnrDb, maxAbsError: 0.02, underflowFraction: 0.142 }),
  };
}

function comparison(
  formats: readonly { id: string; sqnr: readonly number[]; notes?: readonly string[] }[],
  names: readonly string[],
): ComparisonReport {
  return {
    model: {
      path: 'm.safetensors',
      architecture: 'LlamaForCausalLM',
      parameters: 4096,
      quantizableParameters: 768,
      notes: [],
      dtype: 'BF16',
    },
    baseline: {},
    formats: formats.map(({ id, sqnr, notes = [] }) => ({
      id,
      label: id,
      bitsPerWeight: 4.15625,
      approximate: false,
      reconstructed: false,
      notes,
      layers: [],
      summary: {
        tensors: sqnr.length,
        parameters: 256 * sqnr.length,
        sumSquares: 1,
        ...measures({
          sqnrDb: 19.921,
          mse: 1.234e-5,
          maxAbsError: 0.0231,
          rmseOverStep: 0.2891,
          underflowFraction: 0.138,
          clippedFraction: 0.00001,
        }),
        sizeBytes: 408576,
      },
      tensors: sqnr.map((value, index) => tensorComparison(names[index], value)),
    })),
    notes: [],
    timings: {
      readSeconds: 0,
      quantizeSeconds: 0,
      forwardSeconds: 0,
      totalSeconds: 1.5,
      peakRssBytes: 1,
      backend: 'wasm',
      threads: 2,
    },
  };
}

describe('the table of compare', () => {
  const names = ['a', 'b', 'c', 'd\u001b[31m', 'e'];
  const text = formatComparison(
    comparison(
      [
        { id: 'int4-asym:g128', sqnr: [20, 19, 18, 17, NaN], notes: ['of one', 'of both'] },
        { id: 'nf4:g128', sqnr: [20, 21, 19, 22, Infinity], notes: ['of both'] },
      ],
      names,
    ),
    'f16',
  );
  const lines = text.split('\n');

  test('has a row per format with the figures in their precision', () => {
    const row = lines.find((line) => line.startsWith('int4-asym:g128 '));
    expect(row?.split(/ {2,}/)).toEqual([
      'int4-asym:g128',
      '4.156',
      '19.92',
      '1.23e−5',
      '0.289',
      '0.0231',
      '13.8',
      '< 0.1',
      '399.0',
    ]);
  });

  test('says what was quantized', () => {
    expect(text).toContain('5 tensors, 1,280 of 4,096 weights, BF16; scales in F16');
  });

  test('heads its columns as pages do, with the unit', () => {
    expect(lines.find((line) => line.startsWith('Format '))?.split(/ {2,}/)).toEqual([
      ...['Format', 'bits/weight', 'SQNR, dB', 'MSE', 'RMSE / step', 'max error'],
      ...['underflow, %', 'clipped, %', 'size, KB'],
    ]);
  });

  test('names the tensors with the lowest SQNR of each format, not-a-number first', () => {
    const start = lines.findIndex((line) => line.startsWith('Lowest SQNR'));
    const worst = lines.slice(start + 1, start + 7).map((line) => line.slice(15).trim()[0]);
    expect(worst).toEqual(['e', 'd', 'c', 'c', 'a', 'b']);
  });

  test('shows names from the file with their control characters visible', () => {
    expect(text).not.toContain('\u001b');
    expect(text).toContain('d\\u{1b}[31m');
  });

  test('says once what holds for every format', () => {
    expect(lines.filter((line) => line.endsWith('of both'))).toEqual(['of both']);
    expect(lines).toContain('int4-asym:g128: of one');
  });
});

describe('progress', () => {
  function recorder(isTTY: boolean) {
    const written: string[] = [];
    let time = 0;
    const stream = { isTTY, columns: 20, write: (text: string) => written.push(text) };
    const line = new ProgressLine(stream, false, () => time);
    const at = (milliseconds: number, done: number) => {
      time = milliseconds;
      line.report({ done, total: 4, message: 'a.very.long.tensor.name\u001b[2J' });
    };
    return { written, line, at };
  }

  test('rewrites one line of a terminal, within its width, and removes it', () => {
    const { written, line, at } = recorder(true);
    at(50, 1);
    at(150, 2);
    at(200, 3);
    line.clear();
    expect(written).toEqual(['\r\x1b[K 50 %  a.very.long.', '\r\x1b[K']);
  });

  test('writes a line now and then elsewhere', () => {
    const { written, line, at } = recorder(false);
    at(4000, 1);
    at(5000, 2);
    at(6000, 3);
    line.clear();
    expect(written).toEqual([' 50 %  a.very.long.tensor.name\\u{1b}[2J\n']);
  });

  test('is silent when asked to be', () => {
    const written: string[] = [];
    const line = new ProgressLine({ write: (text) => written.push(text) }, true, () => 1e9);
    line.report({ done: 1, total: 2 });
    expect(written).toEqual([]);
  });
});
