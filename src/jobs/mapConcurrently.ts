import { throwIfCancelled } from '../rpc/rpc.js';

/**
 * Works on a few items at a time, begun in order. When one fails, the others are cancelled.
 * @param limit items at a time
 * @returns results in the order of the items
 */
export async function mapConcurrently<Item, Result>(
  items: readonly Item[],
  limit: number,
  work: (item: Item, signal: AbortSignal) => Promise<Result>,
  signal?: AbortSignal,
): Promise<Result[]> {
  const results = new Array<Result>(items.length);
  // One signal for each: Node warns of one with many listeners.
  const running = new Set<AbortController>();
  let stopped = false;
  const stop = () => {
    stopped = true;
    for (const controller of running) controller.abort();
  };
  signal?.addEventListener('abort', stop, { once: true });
  let next = 0;
  const takeTurns = async () => {
    while (next < items.length && !stopped) {
      throwIfCancelled(signal);
      const index = next++;
      const controller = new AbortController();
      running.add(controller);
      try {
        results[index] = await work(items[index], controller.signal);
      } finally {
        running.delete(controller);
      }
    }
  };
  try {
    const turns = Array.from({ length: Math.min(limit, items.length) }, takeTurns);
    await Promise.all(turns);
    throwIfCancelled(signal);
    return results;
  } finally {
    stop();
    signal?.removeEventListener('abort', stop);
  }
}
