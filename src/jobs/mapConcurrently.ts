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
  const failed = new AbortController();
  const stop = () => failed.abort();
  signal?.addEventListener('abort', stop, { once: true });
  let next = 0;
  const takeTurns = async () => {
    while (next < items.length) {
      throwIfCancelled(signal);
      throwIfCancelled(failed.signal);
      const index = next++;
      results[index] = await work(items[index], failed.signal);
    }
  };
  try {
    await Promise.all(Array.from({ length: Math.min(limit, items.length) }, takeTurns));
    return results;
  } finally {
    failed.abort();
    signal?.removeEventListener('abort', stop);
  }
}
