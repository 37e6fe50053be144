// Program of a page's worker, started as the product's is, that compares kernels with the reference there.
import { Gpu } from '../../../src/kernels/webgpu/gpu.js';
import { GpuChunkKernels } from '../../../src/kernels/webgpu/gpuChunkKernels.js';
import { connect } from '../../../src/rpc/rpc.js';
import { tabulateFormat, type ParityRow } from '../../support/gpuParity.js';

/** What the worker does for the test. */
export interface ParityApi {
  describe(argument: null): string;
  tabulate(format: string): ParityRow[];
}

onmessage = async ({ ports: [port] }) => {
  const adapter = await navigator.gpu.requestAdapter();
  const gpu = await Gpu.open(adapter!);
  const kernels = new GpuChunkKernels(gpu);
  const channel = {
    post: (message: unknown) => port.postMessage(message),
    listen(listener: (message: unknown) => void) {
      port.onmessage = ({ data }) => listener(data);
      return () => (port.onmessage = null);
    },
  };
  connect<ParityApi, Record<never, never>>(channel, {
    describe: () => gpu.adapter.description,
    tabulate: (format) => tabulateFormat(gpu, kernels, format),
  });
  postMessage({ started: true });
};
