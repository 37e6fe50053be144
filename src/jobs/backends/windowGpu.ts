import type { GpuConnection } from '../../compute/webgpu/gpuMachine.js';
import { GpuFailure, isGpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import type { GpuProvider } from './backends.js';

/** What may help where a window has no GPU. */
const HINT =
  'to use one beside the files, name the npm package webgpu in the setting quantscope.webgpuPackage';

/** The GPU for jobs of a window: the one beside the files where its package is named, else the window's own. */
export class WindowGpu implements GpuProvider {
  /** @param besideFiles absent: no package is named */
  constructor(
    private readonly besideFiles: GpuProvider | undefined,
    private readonly ofWindow: GpuProvider,
  ) {}

  /** @throws GpuFailure with the reasons of both, or how to have the other */
  async connect(): Promise<GpuConnection> {
    const first = this.besideFiles && (await connectOrExplain(this.besideFiles));
    if (typeof first === 'object') return first;
    const second = await connectOrExplain(this.ofWindow);
    if (typeof second === 'object') return second;
    throw new GpuFailure(first === undefined ? `${second}; ${HINT}` : `${first}; ${second}`);
  }
}

/** The GPU, or why there is none. */
async function connectOrExplain(provider: GpuProvider): Promise<GpuConnection | string> {
  try {
    return await provider.connect();
  } catch (error) {
    if (!isGpuFailure(error)) throw error;
    return error.message;
  }
}
