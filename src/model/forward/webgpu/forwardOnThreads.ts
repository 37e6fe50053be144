import type { GpuMachine } from '../../../compute/webgpu/gpuMachine.js';
import { parseFormat } from '../../../formats/index.js';
import { countPackedWeightBytes, PANEL_ROWS } from '../../../kernels/forwardKernels.js';
import { isDecodedOnGpu, isQuantizedOnGpu } from '../../../kernels/webgpu/support.js';
import { GpuFailure } from '../../../kernels/webgpu/gpuFailure.js';
import type { MemoryRegion } from '../../../kernels/workspace.js';
import type { ElementTypeName } from '../../../storage/elementTypes.js';
import type { FormatTask } from '../../../compute/tasks.js';
import type { ForwardApi, GatherTask, LoadVectorTask, PackTask } from '../tasks.js';

/** Memory of threads that results pass through, by the machine whose they are; kept for the next ones. */
const idleRegions = new WeakMap<GpuMachine, MemoryRegion[]>();

/**
 * Weights that the device cannot decode or quantize: threads do it, and the result goes to where the device
 * wants it.
 */
export function forwardOnThreads(
  method: string,
  task: never,
  machine: GpuMachine,
): (() => Promise<unknown>) | undefined {
  switch (method as keyof ForwardApi) {
    case 'loadVector':
      return isOnGpu((task as LoadVectorTask).chunk.dtype)
        ? undefined
        : () => loadVector(task, machine);
    case 'packWeights': {
      const { chunk, noise, format } = task as PackTask;
      return !noise && isOnGpu(chunk.dtype, format) ? undefined : () => packWeights(task, machine);
    }
    case 'gatherRows': {
      const { matrix, noise, format } = task as GatherTask;
      return !noise && isOnGpu(matrix.dtype, format) ? undefined : () => gatherRows(task, machine);
    }
    default:
      return undefined;
  }
}

function isOnGpu(dtype: ElementTypeName, format?: FormatTask): boolean {
  return isDecodedOnGpu(dtype) && (!format || isQuantizedOnGpu(parseFormat(format.id)));
}

async function loadVector(task: LoadVectorTask, machine: GpuMachine): Promise<void> {
  const count = task.chunk.rows * task.chunk.columns;
  await passing(machine, count * 4, async (at) => {
    await runOne(machine, 'loadVector', { ...task, target: at });
    machine.write(task.target, await machine.pool.readFloats(at, count));
  });
}

async function packWeights(task: PackTask, machine: GpuMachine): Promise<unknown> {
  const { rows, columns, source } = task.chunk;
  if (source.kind === 'device') throw new Error('Threads cannot read the memory of the GPU');
  return passing(machine, countPackedWeightBytes(rows, columns), async (at) => {
    const result = await runOne(machine, 'packWeights', { ...task, target: at });
    const panels = await machine.pool.readFloats(at, countPackedWeightBytes(rows, columns) / 4);
    machine.write(task.target, unpackPanels(panels, rows, columns));
    return result;
  });
}

async function gatherRows(task: GatherTask, machine: GpuMachine): Promise<void> {
  const { columns } = task.matrix;
  const { rows, target, add } = task;
  if (add || target.stride !== columns) {
    throw new GpuFailure('Rows of this embedding cannot be read by the GPU');
  }
  await passing(machine, rows.length * columns * 4, async (at) => {
    await runOne(machine, 'gatherRows', { ...task, target: { at, stride: columns } });
    machine.write(target.at, await machine.pool.readFloats(at, rows.length * columns));
  });
}

/** Rows of packed panels, one after the other. */
function unpackPanels(panels: Float32Array, rows: number, columns: number): Float32Array {
  const values = new Float32Array(rows * columns);
  for (let row = 0; row < rows; row++) {
    const panel = Math.floor(row / PANEL_ROWS) * PANEL_ROWS * columns + (row % PANEL_ROWS);
    for (let column = 0; column < columns; column++) {
      values[row * columns + column] = panels[panel + column * PANEL_ROWS];
    }
  }
  return values;
}

/** Lends memory of the threads. */
async function passing<Result>(
  machine: GpuMachine,
  bytes: number,
  use: (at: number) => Promise<Result>,
): Promise<Result> {
  const idle = idleRegions.get(machine) ?? [];
  idleRegions.set(machine, idle);
  const index = idle.findIndex((region) => region.bytes >= bytes);
  const region = index < 0 ? machine.pool.reserve(bytes) : idle.splice(index, 1)[0];
  try {
    return await use(region.start);
  } finally {
    idle.push(region);
  }
}

async function runOne<Name extends 'loadVector' | 'packWeights' | 'gatherRows'>(
  { pool }: GpuMachine,
  method: Name,
  task: Parameters<ForwardApi[Name]>[0],
): Promise<unknown> {
  let result: unknown;
  await pool.tasks<ForwardApi>().run(method, [task], (one) => void (result = one));
  return result;
}
