// Comparisons and evaluations on a device that can hold little at once, against those of threads.
import { expect } from 'vitest';
import type { ModelTensor } from '../../src/checkpoint/types.js';
import { planChunks } from '../../src/compute/chunks.js';
import { findChunkBoundary } from '../../src/compute/tensorRanges.js';
import { chunksOnThreads } from '../../src/compute/webgpu/chunksOnThreads.js';
import { GpuMachine } from '../../src/compute/webgpu/gpuMachine.js';
import type { WorkerPool } from '../../src/compute/workerPool.js';
import { parseFormat } from '../../src/formats/index.js';
import { quantizeTensors } from '../../src/jobs/comparison/quantizeTensors.js';
import type { ErrorSums } from '../../src/kernels/types.js';
import type { ForwardApi } from '../../src/model/forward/tasks.js';
import { forwardOnThreads } from '../../src/model/forward/webgpu/forwardOnThreads.js';
import type { ServedGpu } from './gpuMachine.js';

/** Far less than the specification allows: matrices of tiny models lie in several buffers. */
export const TINY_BUFFER_BYTES = 1 << 13;
/** The one buffer of a fixed size, for results of many kernels. */
const RESULT_BYTES = 1 << 20;

/**
 * Makes a device say that its buffers are small, and refuse larger ones.
 * @param binding what a kernel sees of a buffer
 */
export function limitBuffers({ gpu }: ServedGpu, bytes: number, binding = bytes / 2): void {
  Object.assign(gpu.limits, { bufferBytes: bytes, bindingBytes: binding });
  const { device } = gpu;
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    if (descriptor.size !== RESULT_BYTES) expect(descriptor.size).toBeLessThanOrEqual(bytes);
    return create(descriptor);
  };
}

/**
 * A device as the machine of a job.
 * @param chunkElements weights of a chunk; absent: as in the product, where every device has room for them
 */
export function machineOn(gpu: ServedGpu, pool: WorkerPool, chunkElements?: number): GpuMachine {
  const machine = new GpuMachine(gpu.connection, pool, [chunksOnThreads, forwardOnThreads]);
  return chunkElements === undefined ? machine : Object.assign(machine, { chunkElements });
}

/** Sums of f64 that the device adds in another order; all others are counts or extremes. */
const SUMS: readonly (keyof ErrorSums)[] = [
  'squaredError',
  'squaredValue',
  'squaredStepError',
  'squaredUnderflow',
];

/** Holds the errors of a tensor in some formats against those of threads: all but sums to the bit. */
export async function expectSameErrors(
  machine: GpuMachine,
  tensor: ModelTensor,
  formatIds: readonly string[],
): Promise<void> {
  const request = {
    tensors: [tensor],
    formats: formatIds.map(parseFormat),
    scaleDtype: 'f16',
  } as const;
  const [found, wanted] = [
    await quantizeTensors(machine.pool, { ...request, runners: machine }),
    await quantizeTensors(machine.pool, request),
  ].map(({ tensors: [{ errors }] }) => errors.map(({ sums }) => sums));
  found.forEach((sums, index) => {
    for (const name of Object.keys(sums) as (keyof ErrorSums)[]) {
      const what = `${formatIds[index]}: ${name}`;
      const expected = wanted[index][name];
      if (!SUMS.includes(name)) expect(sums[name], what).toBe(expected);
      else expect(Math.abs(sums[name] - expected), what).toBeLessThanOrEqual(1e-5 * expected);
    }
  });
}

/** Holds the dequantized weights of a tensor against those of threads, to the bit. */
export async function expectSameWeights(
  machine: GpuMachine,
  tensor: ModelTensor,
  formatId: string,
): Promise<void> {
  const format = parseFormat(formatId);
  const wanted = new Float32Array(tensor.elements);
  let at = 0;
  const onOutput = (_: unknown, values: Float32Array) => {
    wanted.set(values, at);
    at += values.length;
  };
  const request = { tensors: [tensor], formats: [format], scaleDtype: 'f16' } as const;
  await quantizeTensors(machine.pool, { ...request, onOutput });

  const { start } = machine.reserve(tensor.elements * 4);
  const { chunkElements } = machine;
  const boundary = { ...findChunkBoundary([format]), columns: 'row' } as const;
  let target = start;
  const tasks = [...planChunks(tensor, { boundary, chunkElements })].map((chunk) => {
    const task = { chunk, target, format: { id: formatId }, scaleDtype: 'f16' } as const;
    target += chunk.rows * chunk.columns * 4;
    return task;
  });
  await machine.tasks<ForwardApi>().run('packWeights', tasks, () => undefined);
  const found = await machine.readFloats(start, tensor.elements);
  expect(new Uint32Array(found.buffer), formatId).toEqual(new Uint32Array(wanted.buffer));
}
