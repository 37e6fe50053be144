// A device to measure.
import type { Gpu } from '../../src/kernels/webgpu/gpu.js';
import { openTestGpu, whyNoGpu } from '../support/gpu.js';

/** Measures on the device here; no rows where there is none. */
export async function onBenchGpu<Row>(
  what: string,
  measure: (gpu: Gpu) => Promise<Row[]>,
): Promise<Row[]> {
  const why = await whyNoGpu();
  if (why) {
    console.log(`${what} is not measured on a GPU: ${why}`);
    return [];
  }
  const gpu = await openTestGpu();
  try {
    return await measure(gpu);
  } finally {
    gpu.destroy();
  }
}

/** Median milliseconds of what is recorded, several at once, so that waiting counts little. */
export async function medianMilliseconds(
  gpu: Gpu,
  record: () => void,
  times: number,
  finish: () => Promise<unknown> = () => gpu.finish(),
): Promise<number> {
  const results: number[] = [];
  for (let round = 0; round < 6; round++) {
    const begin = performance.now();
    for (let i = 0; i < times; i++) record();
    await finish();
    // The first compiles.
    if (round > 0) results.push((performance.now() - begin) / times);
  }
  return results.sort((a, b) => a - b)[2];
}
