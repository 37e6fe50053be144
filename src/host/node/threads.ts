import { Worker, type TransferListItem } from 'node:worker_threads';
import { connect, type Handlers, type MessageChannelEnd, type Methods } from '../../rpc/rpc.js';
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

/** What callers are told when what they wait for has ended. */
type DescribeEnd = (reason: string, cause?: Error) => Error;

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

/** What runs a program and can end: a thread, a process, a worker of a page. */
export interface Running {
  /** Calls back once, with why it has ended. */
  onEnd(listener: (reason: string, cause?: Error) => void): void;
  terminate(): Promise<void>;
}

/**
 * Joins what runs a program by its interface. Calls wait until the program serves them.
 * @param description what runs the program, at the beginning of a sentence; or the error of its end
 * @param handlers what the program may ask of this side
 */
export function superviseThread<Api extends Methods<Api>, Local extends Methods<Local>>(
  running: Running,
  channel: MessageChannelEnd,
  description: string | DescribeEnd,
  handlers: Handlers<Local>,
): Thread<Api> {
  const describeEnd = typeof description === 'string' ? stopped(description) : description;
  const connection = connect<Local, Api>(channel, handlers);
  let end: Error | undefined;
  let isEnding = false;
  // Those who wait for the thread. One promise for all of them would keep every result while it lives.
  const waiting = new Set<(end: Error) => void>();
  running.onEnd((reason, cause) => {
    if (end) return;
    end = describeEnd(reason, cause);
    for (const reject of waiting) reject(end);
    connection.close();
  });
  return {
    remote: connection.remote,
    get ended() {
      return isEnding || end !== undefined;
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
    terminate() {
      isEnding = true;
      return running.terminate();
    },
  };
}

function stopped(description: string): DescribeEnd {
  return (reason, cause) =>
    new Error(`${description} stopped unexpectedly (${reason}). Run the job again.`, { cause });
}

/**
 * Starts a thread (`worker_threads`) that answers `Api`.
 * @param file path of the script, which calls `serveThread`
 */
export function startThread<Api extends Methods<Api>>(
  file: string,
  data: ThreadData,
  { description, maxOldGenerationMB, maxYoungGenerationMB, stackMB, transfer }: ThreadOptions,
): Thread<Api> {
  const worker = new Worker(file, {
    workerData: data,
    transferList: transfer as readonly TransferListItem[] | undefined as TransferListItem[],
    resourceLimits: {
      maxOldGenerationSizeMb: maxOldGenerationMB,
      maxYoungGenerationSizeMb: maxYoungGenerationMB,
      stackSizeMb: stackMB,
    },
  });
  const running: Running = {
    onEnd(listener) {
      worker.once('error', (error: Error) => listener(error.message, error));
      worker.once('exit', (code) => listener(`exit code ${code}`));
    },
    terminate: async () => void (await worker.terminate()),
  };
  return superviseThread<Api, Record<never, never>>(running, openChannel(worker), description, {});
}
