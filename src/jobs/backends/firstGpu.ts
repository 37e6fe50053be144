import type { GpuConnection } from '../../compute/webgpu/gpuMachine.js';
import { GpuFailure, isGpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import type { GpuProvider } from './backends.js';

/** The first GPU that can be had of several. */
export class FirstGpu implements GpuProvider {
  constructor(private readonly providers: readonly GpuProvider[]) {}

  /** @throws GpuFailure with the reasons of all */
  async connect(): Promise<GpuConnection> {
    const reasons: string[] = [];
    for (const provider of this.providers) {
      try {
        return await provider.connect();
      } catch (error) {
        if (!isGpuFailure(error)) throw error;
        reasons.push(error.message);
      }
    }
    throw new GpuFailure(reasons.join('; '));
  }
}
