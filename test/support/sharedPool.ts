import { afterAll } from 'vitest';
import { WorkerPool, type PoolOptions } from '../../src/compute/workerPool.js';
import { HOST } from './checkpoints.js';

/** What jobs reserved stays reserved: beyond this, others get a new pool. */
const MOST_BYTES = 2 ** 30;

const pools: WorkerPool[] = [];

/**
 * A pool that the tests of a file take turns in: to start threads takes longer than most of what tests have
 * them do. For tests that look at what a pool has in its memory, or at its threads, `createPool` makes one.
 */
export async function sharedPool({
  threads = 2,
  backend = 'wasm',
}: PoolOptions = {}): Promise<WorkerPool> {
  const isSuch = (pool: WorkerPool) =>
    pool.threads === threads &&
    pool.backend === backend &&
    pool.memory.buffer.byteLength < MOST_BYTES;
  const known = pools.find(isSuch);
  if (known) return known;
  const made = await WorkerPool.create({ ...HOST, parallelism: threads }, { threads, backend });
  pools.push(made);
  return made;
}

afterAll(() => Promise.all(pools.map((pool) => pool.dispose())));
