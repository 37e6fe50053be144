import type { Host, Thread } from '../host/host.js';
import type { WorkerControl } from './tasks.js';

/** What the pool starts a worker with. */
export interface WorkerStart {
  readonly memory: WebAssembly.Memory;
  /** Absent: run the reference kernels. */
  readonly modules?: {
    readonly kernels: WebAssembly.Module;
    readonly forward: WebAssembly.Module;
  };
}

/** Methods whose names and types are known to those who send tasks. */
type AnyApi = WorkerControl & Record<string, (task: unknown) => Promise<unknown>>;

/** One worker thread. */
export class PoolWorker {
  /** Tasks sent and not yet answered. */
  load = 0;
  private readonly thread: Thread<AnyApi>;

  constructor(host: Host, start: WorkerStart) {
    this.thread = host.startThread<AnyApi>('worker.js', start, {
      description: 'A compute worker',
      // Its objects are messages; numbers lie in the shared memory.
      maxYoungGenerationMB: 4,
    });
  }

  get dead(): boolean {
    return this.thread.ended;
  }

  /** Runs one task; rejects when the thread dies meanwhile. */
  async call(method: string, task: unknown): Promise<unknown> {
    this.load++;
    try {
      return await this.thread.whileAlive(this.thread.remote[method](task));
    } finally {
      this.load--;
    }
  }

  closeFiles(): void {
    if (!this.dead) void this.thread.remote.closeFiles(null).catch(() => undefined);
  }

  terminate(): Promise<void> {
    return this.thread.terminate();
  }
}
