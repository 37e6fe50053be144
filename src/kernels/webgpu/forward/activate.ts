import type { Activation } from '../../forwardKernels.js';
import { gridOf } from '../gpu.js';
import activate from './activate.wgsl';
import functions from './functions.wgsl';
import { coverOf, rowsOf, runsOf, type ForwardContext, type GpuMatrix } from './matrix.js';

/** target = activation(gate)·up, or activation(gate) where `up` is absent; [rows × columns] each. */
export interface GpuActivation {
  readonly activation: Activation;
  readonly gate: GpuMatrix;
  readonly up?: GpuMatrix;
  readonly rows: number;
  readonly columns: number;
  /** May be the gate. */
  readonly target: GpuMatrix;
}

/** As the shader numbers them. */
const NUMBERS: Readonly<Record<Activation, number>> = {
  silu: 0,
  gelu: 1,
  'gelu-tanh': 2,
  'gelu-10': 3,
  'quick-gelu': 4,
  relu: 5,
  relu2: 6,
};

/** Records an activation; fast where all matrices lie side by side in one buffer, or the target in another. */
export function activateRows({ gpu, nothing }: ForwardContext, task: GpuActivation): void {
  const { activation, gate, up, rows, columns, target } = task;
  const matrices = [target, gate, ...(up ? [up] : [])];
  const parts = matrices.map(({ stride }) => ({ stride, columns }));
  for (const run of runsOf(rows, gpu.limits, parts)) {
    const views = matrices.map((matrix) => rowsOf(matrix, run, columns));
    const cover = coverOf(gpu.limits, views);
    const starts = views.map(({ offset }) => (cover ? (offset - cover.offset) / 4 : 0));
    const kernel = gpu.kernel({
      name: 'activate',
      code: `${activate}\n${functions}`,
      access: ['write', 'read', 'read'],
      constants: {
        ACTIVATION: NUMBERS[activation],
        HAS_UP: Number(!!up),
        IN_PLACE: Number(!!cover),
      },
    });
    gpu.run(kernel, {
      views: cover ? [cover, nothing, nothing] : [views[0], views[1], views[2] ?? nothing],
      words: [
        ...[run.count, columns, target.stride, gate.stride, up?.stride ?? 0],
        ...[starts[0], starts[1], starts[2] ?? 0],
      ],
      groups: gridOf(Math.ceil((run.count * columns) / 256), gpu.limits),
    });
  }
}
