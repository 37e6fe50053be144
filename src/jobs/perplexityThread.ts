import { once } from 'node:events';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { messagePortChannel } from '../compute/messagePortChannel.js';
import type { PerplexityThreadApi, PerplexityThreadStart } from '../protocol/perplexityThread.js';
import { connect, type Remote } from '../protocol/rpc.js';

/**
 * Measures perplexities in a thread of its own, for hosts that live on: nothing of it runs in the
 * caller's thread, and a model's memory, which cannot shrink while it is known to a living thread,
 * is free when this returns.
 * @param use calls the thread; it ends when this settles
 */
export async function inPerplexityThread<Result>(
  start: PerplexityThreadStart,
  use: (thread: Remote<PerplexityThreadApi>) => Promise<Result>,
): Promise<Result> {
  const thread = new Worker(join(start.assetsFolder, 'perplexityWorker.js'), {
    workerData: start,
  });
  const died = new Promise<never>((_, reject) => {
    const fail = (reason: string) =>
      reject(new Error(`The perplexity thread stopped unexpectedly (${reason}). Run it again.`));
    thread.once('error', (error) => fail(error.message));
    thread.once('exit', (code) => fail(`exit code ${code}`));
  });
  died.catch(() => undefined);
  try {
    await Promise.race([once(thread, 'message'), died]);
    const connection = connect<Record<never, never>, PerplexityThreadApi>(
      messagePortChannel(thread),
      {},
    );
    try {
      return await Promise.race([use(connection.remote), died]);
    } finally {
      connection.close();
    }
  } finally {
    await thread.terminate();
  }
}
