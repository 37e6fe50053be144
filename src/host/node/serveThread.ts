import { parentPort, workerData } from 'node:worker_threads';
import { connect, type Handlers, type Methods } from '../../rpc/rpc.js';
import type { Host } from '../host.js';
import { makeNodeHost } from './nodeHost.js';
import { openChannel, type ThreadData } from './threads.js';

/**
 * Answers the thread's parent; the last statement of a thread's program. What arrives before the
 * handlers are made waits.
 * @param handlersOf makes them from what the thread was started with; an error ends the thread, and its
 *   parent is told why
 */
export function serveThread<Start, Api extends Methods<Api>>(
  handlersOf: (start: Start, host: Host) => Handlers<Api> | Promise<Handlers<Api>>,
): void {
  const port = parentPort;
  if (!port) throw new Error('This is the program of a thread');
  const { start, assetsFolder } = workerData as ThreadData;
  void (async () => {
    const handlers = await handlersOf(start as Start, makeNodeHost(assetsFolder));
    connect<Api, Record<never, never>>(openChannel(port), handlers);
  })();
}
