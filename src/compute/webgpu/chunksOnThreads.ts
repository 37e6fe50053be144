import { parseFormat } from '../../formats/index.js';
import type { ErrorSums } from '../../kernels/types.js';
import { isDecodedOnGpu, isQuantizedOnGpu } from '../../kernels/webgpu/support.js';
import type { ChunkApi, ChunkTask, QuantizeResult, QuantizeTask } from '../tasks.js';
import type { GpuMachine } from './gpuMachine.js';

const METHODS: ReadonlySet<string> = new Set<keyof ChunkApi>([
  'quantize',
  'inspect',
  'groupExtremes',
]);

/**
 * Tasks over chunks that the device does not do: of element types that it cannot decode, and formats that it
 * cannot quantize to; the others of the same task it does.
 */
export function chunksOnThreads(
  method: string,
  task: never,
  machine: GpuMachine,
): (() => Promise<unknown>) | undefined {
  if (!METHODS.has(method)) return undefined;
  const { chunk, formats, outputBytes } = task as ChunkTask & Partial<QuantizeTask>;
  const onThreads = (part: unknown) => runOne(machine, method as keyof ChunkApi, part);
  if (!isDecodedOnGpu(chunk.dtype) || outputBytes !== undefined) return () => onThreads(task);
  if (!formats) return undefined;
  const isOnGpu = formats.map(({ id }) => isQuantizedOnGpu(parseFormat(id)));
  if (isOnGpu.every((each) => each)) return undefined;
  if (!isOnGpu.includes(true)) return () => onThreads(task);
  const part = (onGpu: boolean) => ({
    ...(task as object),
    formats: formats.filter((_, index) => isOnGpu[index] === onGpu),
  });
  return async () => {
    const [gpu, threads] = (await Promise.all([
      machine.runOnDevice(method, part(true)),
      onThreads(part(false)),
    ])) as [QuantizeResult, QuantizeResult];
    const errors: Record<'gpu' | 'threads', ErrorSums[]> = {
      gpu: [...gpu.errors],
      threads: [...threads.errors],
    };
    return {
      ...gpu,
      errors: isOnGpu.map((onGpu) => errors[onGpu ? 'gpu' : 'threads'].shift()!),
      kernelSeconds: gpu.kernelSeconds + threads.kernelSeconds,
    };
  };
}

async function runOne(
  { pool }: GpuMachine,
  method: keyof ChunkApi,
  task: unknown,
): Promise<unknown> {
  let result: unknown;
  await pool.tasks<ChunkApi>().run(method, [task as never], (one) => void (result = one));
  return result;
}
