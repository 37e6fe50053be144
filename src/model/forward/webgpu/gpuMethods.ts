import { DeviceChunks } from '../../../compute/webgpu/deviceChunks.js';
import { makeGpuChunkMethods } from '../../../compute/webgpu/gpuChunkMethods.js';
import type { GpuMemory } from '../../../compute/webgpu/gpuMemory.js';
import type { GpuMethods } from '../../../compute/webgpu/gpuService.js';
import type { Gpu } from '../../../kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../../kernels/webgpu/gpuChunkKernels.js';
import { GpuForwardKernels } from '../../../kernels/webgpu/gpuForwardKernels.js';
import type { ByteReader } from '../../../storage/openSources.js';
import { DeviceKernels } from './deviceKernels.js';
import { makeGpuForwardMethods } from './gpuForwardMethods.js';

/**
 * Everything that a device does for jobs.
 * @param reader reads the sources that tasks name
 * @returns makes the tasks of a job, over its memory
 */
export function makeGpuMethods(gpu: Gpu, reader: ByteReader): (memory: GpuMemory) => GpuMethods {
  const chunkKernels = new GpuChunkKernels(gpu);
  const forwardKernels = new GpuForwardKernels(gpu);
  return (memory) => {
    const chunks = new DeviceChunks(memory, chunkKernels, reader);
    const kernels = new DeviceKernels(memory, forwardKernels);
    return { ...makeGpuChunkMethods(chunks), ...makeGpuForwardMethods(chunks, reader, kernels) };
  };
}
