import { gridOf, type GpuView } from '../gpu.js';
import { rowsOf, runsOf, words, type ForwardContext, type GpuMatrix } from './matrix.js';
import rotation from './rotate.wgsl';

/**
 * A rotation, in place, of element i with element i + dims/2 of each head, for i < dims/2; interleaved:
 * of element 2i with element 2i + 1.
 */
export interface GpuRotation {
  /** First element of the first head. */
  readonly values: GpuMatrix;
  readonly rows: number;
  readonly heads: number;
  /** Floats from one head to the next. */
  readonly headStride: number;
  readonly dims: number;
  /** f32 [positions × dims/2]. */
  readonly cos: GpuView;
  /** The same. */
  readonly sin: GpuView;
  readonly interleaved: boolean;
  /** Of the first row, in the tables. */
  readonly position: number;
}

/** Records a rotation. */
export function rotate({ gpu }: ForwardContext, task: GpuRotation): void {
  const { values, rows, heads, headStride, dims, cos, sin, interleaved, position } = task;
  const pairs = dims / 2;
  const columns = (heads - 1) * headStride + dims;
  const kernel = gpu.kernel({
    name: 'rotate',
    code: rotation,
    access: ['write', 'read', 'read'],
  });
  const parts = [
    { stride: values.stride, columns },
    { stride: pairs, columns: pairs },
  ];
  for (const run of runsOf(rows, gpu.limits, parts)) {
    const tables = [(position + run.first) * pairs, run.count * pairs] as const;
    gpu.run(kernel, {
      views: [rowsOf(values, run, columns), words(cos, ...tables), words(sin, ...tables)],
      words: [run.count, heads, values.stride, headStride, pairs, Number(interleaved)],
      groups: gridOf(Math.ceil((run.count * heads * pairs) / 256), gpu.limits),
    });
  }
}
