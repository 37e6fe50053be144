import type { CalibrationWalk } from './calibrationWalk.js';
import type { ObservedSite } from './observedSite.js';

/** Some of the rows that linear maps take: f32 [rows × inputs]. */
export interface Sample {
  readonly rows: number;
  readonly inputs: number;
  readonly values: Float32Array;
}

/** Of the T rows of a site's inputs every ⌊T/atMost⌋-th, the first included. */
export async function sampleInputs(
  { request }: CalibrationWalk,
  site: ObservedSite,
  atMost: number,
): Promise<Sample> {
  const [{ inputs }] = site.linears;
  const step = Math.max(1, Math.floor(site.rows / atMost));
  const rows = Math.ceil(site.rows / step);
  const values = new Float32Array(rows * inputs);
  await site.observe(({ matrix, rows: count }, first) => {
    for (let row = Math.ceil(first / step) * step; row < first + count; row += step) {
      const at = matrix.at + (row - first) * matrix.stride * 4;
      const input = new Float32Array(request.pool.memory.buffer, at, inputs);
      values.set(input, (row / step) * inputs);
    }
    return Promise.resolve();
  });
  return { rows, inputs, values };
}
