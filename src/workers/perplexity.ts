// Program of the thread that measures perplexities for a host which goes on living: the memory that a
// model took is free as soon as this thread ends.
import { WorkerPool } from '../compute/workerPool.js';
import { serveThread } from '../host/node/serveThread.js';
import type { PerplexityThreadApi, PerplexityThreadStart } from '../jobs/perplexity/threadApi.js';
import { measureFormats } from '../jobs/perplexity/node/measureFormats.js';
import { localFileSystem } from '../storage/node/localFileSystem.js';

serveThread<PerplexityThreadStart, PerplexityThreadApi>(({ threads }, host) => {
  const pool = WorkerPool.create(host, { threads });
  return {
    async measureFormats({ model, request }, { signal, progress }) {
      const opened = { ...model, fileSystem: localFileSystem };
      return measureFormats(await pool, opened, request, { signal, onProgress: progress });
    },
  };
});
