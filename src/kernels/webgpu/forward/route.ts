import { gridOf, type GpuView } from '../gpu.js';
import functions from './functions.wgsl';
import { rowsOf, runsOf, words, type ForwardContext, type GpuMatrix } from './matrix.js';
import reduce from './reduce.wgsl';
import route from './route.wgsl';

/** Where rows go by the logits of their router. */
export interface GpuRouting {
  /** [rows × experts]. */
  readonly logits: GpuMatrix;
  readonly rows: number;
  readonly experts: number;
  readonly expertsPerRow: number;
  /** Divide weights by their sum over the chosen experts instead of over all. */
  readonly normalized: boolean;
  /** Of each row its experts, i32 [expertsPerRow], the largest logit first, then their weights, f32. */
  readonly routes: GpuView;
}

/** Records the choice of experts. */
export function routeRows({ gpu }: ForwardContext, task: GpuRouting): void {
  const { logits, rows, experts, expertsPerRow, normalized, routes } = task;
  const kernel = gpu.kernel({
    name: 'route',
    code: [route, reduce, functions].join('\n'),
    access: ['read', 'write'],
    constants: { WIDTH: 64, SIDE: 8 },
  });
  const width = 2 * expertsPerRow;
  const parts = [
    { stride: logits.stride, columns: experts },
    { stride: width, columns: width },
  ];
  for (const run of runsOf(rows, gpu.limits, parts)) {
    gpu.run(kernel, {
      views: [rowsOf(logits, run, experts), words(routes, run.first * width, run.count * width)],
      words: [run.count, experts, expertsPerRow, logits.stride, Number(normalized)],
      groups: gridOf(run.count, gpu.limits),
    });
  }
}
