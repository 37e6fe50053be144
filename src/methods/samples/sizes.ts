import { countPackedWeightBytes, PANEL_ROWS } from '../../kernels/forwardKernels.js';
import { countRegionBytes, type MemoryRegion } from '../../kernels/workspace.js';

/** Of places in memory. */
export const ALIGNMENT = 64;
/** Outputs that are computed at once. */
export const OUTPUT_TILE = 512;
/** Outputs that a task takes where it works on weights; a multiple of a panel's. */
export const TASK_ROWS = 2 * PANEL_ROWS;
/** Rows that packing may add. */
const EXTRA_ROWS = 16;

/** Bytes that so many sampled rows take, packed or not. */
export function sampleBytes(rows: number, columns: number): number {
  return (rows + EXTRA_ROWS) * columns * 4;
}

/** Scratch of the tasks of `SampleApi`. */
export function sampleScratchBytes(rows: number, inputs: number): number {
  const rounded = 2 * sampleBytes(rows, inputs) + inputs * 4;
  const losses = 8 * ALIGNMENT + rounded + sampleBytes(rows, OUTPUT_TILE);
  return Math.max(losses, countRegionBytes(TASK_ROWS * inputs));
}

/** Bytes for one linear map beside its samples: outputs, packed samples, packed weights. */
export function sampleRoomBytes(outputs: number, samples: number, inputs: number): number {
  const packed = countPackedWeightBytes(outputs, inputs);
  return sampleBytes(samples, outputs) + sampleBytes(samples, inputs) + packed + 4 * ALIGNMENT;
}

/** The next address at which something may begin. */
export function align(address: number): number {
  return Math.ceil(address / ALIGNMENT) * ALIGNMENT;
}

/** Hands out parts of a task's memory. */
export function takerOf({ start, bytes }: MemoryRegion): (bytes: number) => number {
  let top = start;
  return (wanted) => {
    const at = align(top);
    top = at + wanted;
    if (top > start + bytes) throw new Error(`A task over samples needs more than ${bytes} bytes`);
    return at;
  };
}
