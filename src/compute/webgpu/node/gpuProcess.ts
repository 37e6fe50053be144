import type { AssetName } from '../../../host/host.js';
import { startProcess } from '../../../host/node/processes.js';
import type { ByteReader } from '../../../storage/openSources.js';
import type { GpuConnection } from '../gpuMachine.js';
import type { GpuServiceApi } from '../gpuService.js';
import { describeError } from '../../../storage/describeError.js';
import { GpuFailure, isGpuFailure } from '../../../kernels/webgpu/gpuFailure.js';
import { HostSources, liesInMemory, type HostSourcesApi } from '../hostSources.js';
import { inTime } from './gpuLink.js';
import type { GpuProcessStart } from './nodeAdapter.js';

/** The program of the process, beside those of threads. */
export const GPU_PROGRAM: AssetName = 'gpuProcess.js';

/** A device in a process of its own. */
export interface GpuProcess extends GpuConnection {
  /** Ends it; jobs under way fail. */
  end(): Promise<void>;
}

/**
 * Starts a process that serves a GPU.
 * @param program path of {@link GPU_PROGRAM}
 * @param reader reads what lies in this process's memory
 * @throws GpuFailure where there is no GPU that can be used
 */
export async function startGpuProcess(
  program: string,
  start: GpuProcessStart,
  reader: ByteReader,
): Promise<GpuProcess> {
  const sources = new HostSources(reader, (source) => !liesInMemory(source));
  const service = startProcess<GpuServiceApi, HostSourcesApi>(
    program,
    JSON.stringify(start),
    'The process of the GPU',
    sources.api,
  );
  const describing = service.whileAlive(service.remote.describe(null));
  try {
    const { adapter } = await inTime(describing, 'The process of the GPU did not start in time');
    return {
      adapter,
      implementation: 'Dawn in Node',
      service,
      sources,
      end: () => service.terminate(),
    };
  } catch (error) {
    await service.terminate();
    throw isGpuFailure(error) ? error : new GpuFailure(describeError(error), { cause: error });
  }
}
