import type * as vscode from 'vscode';
import { WorkerPool } from '../compute/workerPool.js';
import type { Host } from '../host/host.js';
import { readSettings } from './settings.js';

/** Idle workers keep their memory; after this long without a job they go. */
const IDLE_MILLISECONDS = 2 * 60 * 1000;

/** The one pool of workers of the window: made on first use, ended when idle. */
export class SharedPool implements vscode.Disposable {
  private pool: Promise<WorkerPool> | undefined;
  private threads: number | undefined;
  private jobs = 0;
  private idle: NodeJS.Timeout | undefined;

  constructor(private readonly host: Host) {}

  /** Runs a job with the pool; the pool lasts at least as long as the job. */
  async use<T>(job: (pool: WorkerPool) => Promise<T>): Promise<T> {
    clearTimeout(this.idle);
    this.jobs++;
    try {
      return await job(await this.acquire());
    } finally {
      this.jobs--;
      if (this.jobs === 0) this.idle = setTimeout(() => this.dispose(), IDLE_MILLISECONDS);
    }
  }

  dispose(): void {
    clearTimeout(this.idle);
    const ending = this.pool;
    this.pool = undefined;
    // A pool that could not be made has nothing to end.
    ending?.then((pool) => pool.dispose()).catch(() => undefined);
  }

  private acquire(): Promise<WorkerPool> {
    const { threads } = readSettings();
    if (this.jobs === 1 && threads !== this.threads) this.dispose();
    if (!this.pool) {
      this.threads = threads;
      const pool = WorkerPool.create(this.host, { threads });
      this.pool = pool;
      pool.catch(() => {
        if (this.pool === pool) this.pool = undefined;
      });
    }
    return this.pool;
  }
}
