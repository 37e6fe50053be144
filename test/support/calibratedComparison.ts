import { readFileSync } from 'node:fs';
import type { ComparisonReport } from '../../src/reports/reports.js';

const FILE = new URL('../fixtures/calibrated-comparison.json', import.meta.url);
const NUMBERS: Readonly<Record<string, number>> = { NaN, Infinity, '-Infinity': -Infinity };

/**
 * What `compare --json --windows 16 --calibration-windows 16` says of layers 1 and 2 of the sample model in
 * int3, int3+gptq, int3+awq, int3+smoothquant/int8-token and int3/int8-token.
 */
export function calibratedComparison(): ComparisonReport {
  return JSON.parse(readFileSync(FILE, 'utf8'), (_, value: unknown) =>
    typeof value === 'string' ? (NUMBERS[value] ?? value) : value,
  ) as ComparisonReport;
}
