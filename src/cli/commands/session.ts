import { WorkerPool } from '../../compute/workerPool.js';
import type { Host } from '../../host/host.js';
import type { CallOptions } from '../../rpc/rpc.js';

/** What a command works with: where its result goes, and how it is told to stop. */
export interface Session {
  /** Writes to standard output, a text or its parts one after the other; resolves once written. */
  readonly write: (text: string | Iterable<string>) => Promise<void>;
  /** One line on standard error that is not progress. */
  readonly warn: (message: string) => void;
  /** What the process offers: threads and bundled files. */
  readonly host: Host;
  /** Cancellation and progress of the job. */
  readonly options: CallOptions;
}

/** Runs a job with a pool of workers that ends with it, whatever happens. */
export async function withPool<T>(
  { host, warn }: Session,
  options: { readonly threads?: number; readonly backend: 'wasm' | 'reference' },
  job: (pool: WorkerPool) => Promise<T>,
): Promise<T> {
  const pool = await WorkerPool.create(host, options);
  const { threads } = options;
  if (threads !== undefined && threads > pool.threads) {
    warn(
      `--threads ${threads}: this machine runs ${host.parallelism} at once, and no more are used`,
    );
  }
  try {
    return await job(pool);
  } finally {
    await pool.dispose();
  }
}
