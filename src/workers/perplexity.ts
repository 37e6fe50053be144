// Program of the thread that measures perplexities for a host which goes on living: the memory that a
// model took is free as soon as this thread ends.
import { WorkerPool } from '../compute/workerPool.js';
import type { Host } from '../host/host.js';
import { serveThread } from '../host/node/serveThread.js';
import { Backends } from '../jobs/backends/backends.js';
import { LentGpu } from '../jobs/backends/node/lentGpu.js';
import { NodeGpu } from '../jobs/backends/node/nodeGpu.js';
import { MeasuredRates } from '../jobs/backends/measuredRates.js';
import { WindowGpu } from '../jobs/backends/windowGpu.js';
import type { PerplexityThreadApi, PerplexityThreadStart } from '../jobs/perplexity/threadApi.js';
import { measureFormats } from '../jobs/perplexity/node/measureFormats.js';
import { measureOutputs } from '../jobs/perplexity/node/measureOutputs.js';
import { localFileSystem } from '../storage/node/localFileSystem.js';

serveThread<PerplexityThreadStart, PerplexityThreadApi>((start, host) => {
  const pool = WorkerPool.create(host, { threads: start.threads });
  const rates = new MeasuredRates(start.rates);
  const log: string[] = [];
  const { backends, end } = chooseBackends(start, host, rates, (line) => log.push(line));
  return {
    async measureFormats({ model, request }, { signal, progress }) {
      const opened = { ...model, fileSystem: localFileSystem };
      try {
        const options = { signal, onProgress: progress, backends };
        return { measured: await measureFormats(await pool, opened, request, options), log };
      } finally {
        await end();
      }
    },
    measureOutputs: async ({ model, request }, { signal, progress }) =>
      measureOutputs(await pool, { ...model, fileSystem: localFileSystem }, request, {
        signal,
        onProgress: progress,
      }),
    rates: () => rates.all,
  };
});

function chooseBackends(
  { backend = 'wasm', webgpuPackage, gpuPort }: PerplexityThreadStart,
  host: Host,
  rates: MeasuredRates,
  log: (line: string) => void,
): { readonly backends: Backends; end(): Promise<void> } {
  const node = webgpuPackage ? new NodeGpu(host, { packageFolder: webgpuPackage }) : undefined;
  const lent = gpuPort && new LentGpu(gpuPort);
  const provider = lent && new WindowGpu(node, lent);
  return {
    backends: new Backends(backend, provider, { log, rates }),
    end: async () => node?.end(),
  };
}
