import { dirname } from 'node:path';
import {
  GPU_PROGRAM,
  startGpuProcess,
  type GpuProcess,
} from '../../../compute/webgpu/node/gpuProcess.js';
import { findWebGpuPackage } from '../../../compute/webgpu/node/nodeAdapter.js';
import type { Host } from '../../../host/host.js';
import { GpuFailure } from '../../../kernels/webgpu/gpuFailure.js';
import type { GpuOptions } from '../../../kernels/webgpu/gpu.js';
import { openStoredSources } from '../../../layouts/node/openStored.js';
import type { GpuProvider } from '../backends.js';

export interface NodeGpuOptions extends GpuOptions {
  /** Folder of the npm package `webgpu`; absent: the one that the program would import. */
  readonly packageFolder?: string;
}

/** The GPU of this machine, in a process of its own that begins when it is asked for. */
export class NodeGpu implements GpuProvider {
  private process: Promise<GpuProcess> | undefined;

  constructor(
    private readonly host: Host,
    private readonly options: NodeGpuOptions = {},
  ) {}

  async connect(): Promise<GpuProcess> {
    if (this.process) {
      const running = await this.process.catch(() => undefined);
      if (running && !running.service.ended) return running;
    }
    this.process = this.start();
    return this.process;
  }

  /** Ends the process. */
  async end(): Promise<void> {
    const running = await this.process?.catch(() => undefined);
    this.process = undefined;
    await running?.end();
  }

  private async start(): Promise<GpuProcess> {
    const { packageFolder: named, ...options } = this.options;
    const program = this.host.assets.path(GPU_PROGRAM);
    const packageFolder = findWebGpuPackage(dirname(program), named);
    if (!packageFolder) {
      throw new GpuFailure(
        named
          ? `There is no npm package "webgpu" in ${named}`
          : 'A GPU needs the npm package "webgpu", which is not installed beside Quantscope',
      );
    }
    return startGpuProcess(program, { packageFolder, ...options }, openStoredSources({}));
  }
}
