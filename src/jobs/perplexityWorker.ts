// Entry point of the thread that measures perplexities for a host which goes on living: the memory
// that a model took is free as soon as this thread ends.
import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { messagePortChannel } from '../compute/messagePortChannel.js';
import { WorkerPool } from '../compute/workerPool.js';
import type { PerplexityThreadApi, PerplexityThreadStart } from '../protocol/perplexityThread.js';
import { connect } from '../protocol/rpc.js';
import { parseFormats } from './formatList.js';
import { measureFormats } from './formatPerplexity.js';
import { measurePerplexity } from './perplexity.js';
import { selectTensors } from './selection.js';

function start(port: MessagePort, { threads, assetsFolder }: PerplexityThreadStart): void {
  const pool = WorkerPool.create({ threads, assetsFolder });
  connect<PerplexityThreadApi, Record<never, never>>(messagePortChannel(port), {
    async measureFormats(request, { signal, progress }) {
      const { checkpoint, formats, tensors, scaleDtype, perLayer, settings } = request;
      return measureFormats(
        await pool,
        checkpoint,
        parseFormats(formats),
        selectTensors(checkpoint, { tensors }),
        scaleDtype,
        perLayer,
        { ...settings, assetsFolder },
        { signal, onProgress: progress },
      );
    },
    async measurePerplexity({ checkpoint, request }, { signal, progress }) {
      const options = { signal, onProgress: progress };
      return measurePerplexity(await pool, checkpoint, { ...request, assetsFolder }, options);
    },
  });
  port.postMessage('ready');
}

if (parentPort) start(parentPort, workerData as PerplexityThreadStart);
