import { Worker } from 'node:worker_threads';
import { connect, type Connection } from '../protocol/rpc.js';
import type { WorkerApi } from '../protocol/worker.js';
import { messagePortChannel } from './messagePortChannel.js';
import type { WorkerStart } from './worker.js';

/** One worker thread with its connection. */
export class PoolWorker {
  /** Tasks sent and not yet answered. */
  load = 0;
  dead = false;
  private readonly thread: Worker;
  private readonly connection: Connection<WorkerApi>;
  private readonly died: Promise<never>;
  private readonly ready: Promise<void>;

  constructor(file: string, start: WorkerStart) {
    this.thread = new Worker(file, { workerData: start });
    this.connection = connect<Record<never, never>, WorkerApi>(messagePortChannel(this.thread), {});
    this.died = new Promise((_, reject) => {
      const fail = (reason: string) => {
        if (this.dead) return;
        this.dead = true;
        reject(new Error(`A compute worker stopped unexpectedly (${reason}). Run the job again.`));
        this.connection.close();
      };
      this.thread.once('error', (error) => fail(error.message));
      this.thread.once('exit', (code) => fail(`exit code ${code}`));
    });
    // Someone always waits for `died` while a task runs; with none running its loss is no news.
    this.died.catch(() => undefined);
    this.ready = new Promise((resolve) => {
      const onMessage = (message: unknown) => {
        if (message !== 'ready') return;
        this.thread.off('message', onMessage);
        resolve();
      };
      this.thread.on('message', onMessage);
    });
  }

  /** Runs one task; rejects when the thread dies meanwhile. */
  async call<Name extends keyof WorkerApi>(
    method: Name,
    task: unknown,
  ): Promise<Awaited<ReturnType<WorkerApi[Name]>>> {
    this.load++;
    try {
      await Promise.race([this.ready, this.died]);
      const remote = this.connection.remote[method] as (task: unknown) => Promise<never>;
      return await Promise.race([remote(task), this.died]);
    } finally {
      this.load--;
    }
  }

  closeFiles(): void {
    if (!this.dead) void this.connection.remote.closeFiles(null).catch(() => undefined);
  }

  async terminate(): Promise<void> {
    await this.thread.terminate();
  }
}
