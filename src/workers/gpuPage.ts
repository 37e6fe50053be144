// Program of a page's worker that serves the window's GPU. It runs in a browser, and reads nothing itself.
// On its port it answers calls; beside that it says that the device is open, or that it has ended and why.
import { makeGpuService, type GpuServiceApi } from '../compute/webgpu/gpuService.js';
import { makeHostReader, type HostSourcesApi } from '../compute/webgpu/hostSources.js';
import { serveLate } from '../compute/webgpu/lateService.js';
import { Gpu } from '../kernels/webgpu/gpu.js';
import { GpuFailure, isGpuFailure } from '../kernels/webgpu/gpuFailure.js';
import { makeGpuMethods } from '../model/forward/webgpu/gpuMethods.js';
import type { GpuWorkerMessage } from '../reports/gpuPage.js';
import { connect, type MessageChannelEnd } from '../rpc/rpc.js';

/** What is used of a browser's worker and port, whose types are not those of Node. */
interface BrowserPort {
  postMessage(message: unknown): void;
  onmessage: ((event: { data: unknown; ports: readonly BrowserPort[] }) => void) | null;
}
const scope = globalThis as unknown as BrowserPort & { readonly navigator: { gpu?: GPU } };

function tell(message: GpuWorkerMessage): void {
  scope.postMessage(message);
}

/** The fastest adapter of the window. @throws GpuFailure where there is none */
async function requestAdapter(): Promise<GPUAdapter> {
  const { gpu } = scope.navigator;
  if (!gpu) throw new GpuFailure('This window has no WebGPU');
  const adapter = await gpu.requestAdapter({ powerPreference: 'high-performance' });
  if (!adapter) throw new GpuFailure('No GPU is found that WebGPU can use in this window');
  return adapter;
}

function channelOf(port: BrowserPort): MessageChannelEnd {
  return {
    post: (message) => port.postMessage(message),
    listen(listener) {
      port.onmessage = ({ data }) => listener(data);
      return () => (port.onmessage = null);
    },
  };
}

/** After a failure nothing that the device gives is to be trusted: whoever needs one starts another worker. */
function endAfter(error: unknown): void {
  // The answer goes first.
  if (isGpuFailure(error)) setTimeout(() => tell({ ended: error.message }));
}

scope.onmessage = ({ ports }) => {
  // The reader asks the side that the service is served to.
  const reader = makeHostReader((range) => remote.read(range));
  const service = (async () => {
    const gpu = await Gpu.open(await requestAdapter());
    void gpu.device.lost.then(({ message, reason }) => {
      tell({ ended: `The GPU was lost (${message || reason})` });
    });
    return makeGpuService(gpu, makeGpuMethods(gpu, reader));
  })();
  const { remote } = connect<GpuServiceApi, HostSourcesApi>(
    channelOf(ports[0]),
    serveLate(service, endAfter),
  );
  service.then(
    () => tell({ started: true }),
    (error: unknown) => tell({ ended: error instanceof Error ? error.message : String(error) }),
  );
};
