import { Worker } from 'node:worker_threads';
import { connect, type MessageChannelEnd, type Methods } from '../../rpc/rpc.js';
import type { Thread, ThreadOptions } from '../host.js';

/** What every thread is started with. */
export interface ThreadData {
  readonly start: unknown;
  /** Folder of the bundle. */
  readonly assetsFolder: string;
}

interface PortLike {
  postMessage(message: unknown): void;
  on(event: 'message', listener: (message: unknown) => void): unknown;
  off(event: 'message', listener: (message: unknown) => void): unknown;
}

/** A worker or its parent port as an end of the RPC. */
export function openChannel(port: PortLike): MessageChannelEnd {
  return {
    post: (message) => port.postMessage(message),
    listen(listener) {
      port.on('message', listener);
      return () => port.off('message', listener);
    },
  };
}

/**
 * Starts a thread (`worker_threads`) that answers `Api`. Calls wait until its script serves them.
 * @param file path of the script, which calls `serveThread`
 */
export function startThread<Api extends Methods<Api>>(
  file: string,
  data: ThreadData,
  { description, maxOldGenerationMB, maxYoungGenerationMB, stackMB }: ThreadOptions,
): Thread<Api> {
  const worker = new Worker(file, {
    workerData: data,
    resourceLimits: {
      maxOldGenerationSizeMb: maxOldGenerationMB,
      maxYoungGenerationSizeMb: maxYoungGenerationMB,
      stackSizeMb: stackMB,
    },
  });
  const connection = connect<Record<never, never>, Api>(openChannel(worker), {});
  let end: Error | undefined;
  // Those who wait for the thread. One promise for all of them would keep every result while it lives.
  const waiting = new Set<(end: Error) => void>();
  const fail = (reason: string, cause?: Error) => {
    if (end) return;
    end = new Error(`${description} stopped unexpectedly (${reason}). Run the job again.`, {
      cause,
    });
    for (const reject of waiting) reject(end);
    connection.close();
  };
  worker.once('error', (error: Error) => fail(error.message, error));
  worker.once('exit', (code) => fail(`exit code ${code}`));
  return {
    remote: connection.remote,
    get ended() {
      return end !== undefined;
    },
    async whileAlive(work) {
      let stop: (end: Error) => void = () => undefined;
      try {
        return await new Promise((resolve, reject) => {
          stop = reject;
          waiting.add(stop);
          work.then(resolve, reject);
          if (end) reject(end);
        });
      } finally {
        waiting.delete(stop);
      }
    },
    async terminate() {
      await worker.terminate();
    },
  };
}
