// A GPU as a machine of jobs, in the test's own process.
import { MessageChannel } from 'node:worker_threads';
import { openChannel } from '../../src/host/node/threads.js';
import type { GpuConnection } from '../../src/compute/webgpu/gpuMachine.js';
import { makeGpuService, type GpuServiceApi } from '../../src/compute/webgpu/gpuService.js';
import { HostSources, makeHostReader } from '../../src/compute/webgpu/hostSources.js';
import type { GpuProvider } from '../../src/jobs/backends/backends.js';
import type { Gpu, GpuOptions } from '../../src/kernels/webgpu/gpu.js';
import { openStoredSources } from '../../src/layouts/node/openStored.js';
import { makeGpuMethods } from '../../src/model/forward/webgpu/gpuMethods.js';
import { connect } from '../../src/rpc/rpc.js';
import { openTestGpu } from './gpu.js';

/** A GPU that is served here. */
export interface ServedGpu extends GpuProvider {
  readonly gpu: Gpu;
  readonly connection: GpuConnection;
  /** Ends it, as the crash of its process would. */
  crash(reason: string): void;
  close(): void;
}

/** Serves a device of its own; `isShared` says of which sources the other side reads none itself. */
export async function serveGpu(options?: GpuOptions): Promise<ServedGpu> {
  const gpu = await openTestGpu(options);
  // Messages are copied, as between threads.
  const { port1, port2 } = new MessageChannel();
  const [near, far] = [openChannel(port1), openChannel(port2)];
  const sources = new HostSources(openStoredSources({}), (source) => source.kind === 'uri');
  const files = openStoredSources({});
  const reader = makeHostReader((range) => sources.api.read(range), files);
  const server = connect<GpuServiceApi, Record<never, never>>(
    far,
    makeGpuService(gpu, makeGpuMethods(gpu, reader), () => void files.close()),
  );
  const client = connect<Record<never, never>, GpuServiceApi>(near, {});
  let end: Error | undefined;
  let stop: (reason: Error) => void = () => undefined;
  const ended = new Promise<never>((_, reject) => (stop = reject));
  ended.catch(() => undefined);
  const service = {
    remote: client.remote,
    get ended() {
      return end !== undefined;
    },
    terminate: () => {
      served.crash('It was ended');
      return Promise.resolve();
    },
    whileAlive: <Result>(work: Promise<Result>) => Promise.race([work, ended]),
  };
  const connection: GpuConnection = {
    adapter: gpu.adapter,
    implementation: 'Dawn in Node',
    service,
    sources,
  };
  const served: ServedGpu = {
    gpu,
    connection,
    connect: () => Promise.resolve(connection),
    crash(reason) {
      end = new Error(reason);
      stop(end);
    },
    close() {
      client.close();
      server.close();
      port1.close();
      gpu.destroy();
    },
  };
  return served;
}
