import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import { BIAS_FACTORS } from './candidates.js';

/** Of places in memory. */
export const ALIGNMENT = 64;
/** Outputs that are computed at once. */
export const OUTPUT_TILE = 512;
/** Rows that packing may add. */
const EXTRA_ROWS = 16;

/** Bytes that so many sampled rows take, packed or not. */
export function sampleBytes(rows: number, columns: number): number {
  return (rows + EXTRA_ROWS) * columns * 4;
}

/** Scratch of the tasks of a linear map. */
export function scratchBytes(rows: number, inputs: number): number {
  const candidates = 2 * sampleBytes(BIAS_FACTORS.length, inputs);
  const rounded = 2 * sampleBytes(rows, inputs) + inputs * 4;
  return 16 * ALIGNMENT + candidates + rounded + sampleBytes(rows, OUTPUT_TILE);
}

/** Bytes that the search of one linear map needs beside its samples: outputs, packed samples, packed weights. */
export function searchRoomBytes(outputs: number, samples: number, inputs: number): number {
  const packed = countPackedWeightBytes(outputs, inputs);
  return sampleBytes(samples, outputs) + sampleBytes(samples, inputs) + packed + 4 * ALIGNMENT;
}

/** The next address at which something may begin. */
export function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}
