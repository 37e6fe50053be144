// Program of the thread that measures perplexities for a host which goes on living: the memory that a
// model took is free as soon as this thread ends.
import { WorkerPool } from '../compute/workerPool.js';
import type { Host } from '../host/host.js';
import { serveThread } from '../host/node/serveThread.js';
import { Backends, type GpuProvider } from '../jobs/backends/backends.js';
import { FirstGpu } from '../jobs/backends/firstGpu.js';
import { LentGpu } from '../jobs/backends/node/lentGpu.js';
import { NodeGpu } from '../jobs/backends/node/nodeGpu.js';
import { MeasuredRates } from '../jobs/backends/measuredRates.js';
import type { PerplexityThreadApi, PerplexityThreadStart } from '../jobs/perplexity/threadApi.js';
import { measureFormats } from '../jobs/perplexity/node/measureFormats.js';
import { localFileSystem } from '../storage/node/localFileSystem.js';

serveThread<PerplexityThreadStart, PerplexityThreadApi>((start, host) => {
  const pool = WorkerPool.create(host, { threads: start.threads });
  const rates = new MeasuredRates(start.rates);
  const { backends, end } = chooseBackends(start, host, rates);
  return {
    async measureFormats({ model, request }, { signal, progress }) {
      const opened = { ...model, fileSystem: localFileSystem };
      try {
        const options = { signal, onProgress: progress, backends };
        return await measureFormats(await pool, opened, request, options);
      } finally {
        await end();
      }
    },
    rates: () => rates.all,
  };
});

function chooseBackends(
  { backend = 'wasm', webgpuPackage, gpuPort }: PerplexityThreadStart,
  host: Host,
  rates: MeasuredRates,
): { readonly backends: Backends; end(): Promise<void> } {
  const node = webgpuPackage ? new NodeGpu(host, { packageFolder: webgpuPackage }) : undefined;
  const lent = gpuPort && new LentGpu(gpuPort);
  const providers = [node, lent].filter((each): each is NodeGpu | LentGpu => each !== undefined);
  const provider: GpuProvider | undefined =
    providers.length > 1 ? new FirstGpu(providers) : providers[0];
  return { backends: new Backends(backend, provider, { rates }), end: async () => node?.end() };
}
