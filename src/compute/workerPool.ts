import { readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { loadForwardModule } from '../kernels/wasm/wasmForward.js';
import { regionBytesFor, type MemoryRegion } from '../kernels/workspace.js';
import type { ScratchTask } from '../protocol/forward.js';
import { cancelledError } from '../protocol/rpc.js';
import type { ChunkTask, WorkerApi } from '../protocol/worker.js';
import { CHUNK_ELEMENTS } from './chunks.js';
import { PoolWorker } from './poolWorker.js';
import { SharedRegions } from './sharedRegions.js';
import type { WorkerStart } from './worker.js';

export interface PoolOptions {
  /** Worker threads; default: the machine's cores. */
  readonly threads?: number;
  /** Folder of `worker.js` and `kernels.wasm`; default: beside the running bundle. */
  readonly assetsFolder?: string;
  readonly backend?: 'wasm' | 'reference';
}

/** The methods that do a job's tasks. */
export type TaskMethod = Exclude<keyof WorkerApi, 'closeFiles'>;
/** A task as a job states it; the pool adds where in memory it runs. */
export type TaskOf<Name extends TaskMethod> = Omit<
  Parameters<WorkerApi[Name]>[0],
  'region' | 'memoryEnd'
>;
export type ResultOf<Name extends TaskMethod> = Awaited<ReturnType<WorkerApi[Name]>>;

/** Tasks that wait at a worker while it computes, so that it never waits for messages. */
const QUEUED_PER_WORKER = 2;

type AnyTask = Omit<ChunkTask, 'region'> | Omit<ScratchTask, 'region' | 'memoryEnd'>;

/** Bytes of a worker's region that a task needs. */
function regionBytes(task: AnyTask): number {
  return 'scratchBytes' in task
    ? task.scratchBytes
    : regionBytesFor(Math.max(task.chunk.rows * task.chunk.columns, CHUNK_ELEMENTS));
}

interface Job {
  next(): { method: TaskMethod; task: AnyTask; index: number } | undefined;
  finish(index: number, result: unknown): void;
  fail(error: unknown): void;
}

/**
 * Worker threads over one shared WebAssembly memory. A job is a list of chunk tasks; results come
 * back in the order of the tasks, whatever the number of threads.
 */
export class WorkerPool {
  private readonly jobs = new Set<Job>();
  private readonly workers: (PoolWorker | undefined)[];
  private disposed = false;

  private constructor(
    readonly threads: number,
    readonly backend: 'wasm' | 'reference',
    private readonly workerFile: string,
    private readonly regions: SharedRegions,
    private readonly modules: WorkerStart['modules'],
  ) {
    this.workers = new Array<undefined>(threads).fill(undefined);
  }

  static async create(options: PoolOptions = {}): Promise<WorkerPool> {
    const folder = options.assetsFolder ?? __dirname;
    const threads = Math.max(1, Math.floor(options.threads || availableParallelism()));
    const backend = options.backend ?? 'wasm';
    const modules =
      backend === 'wasm'
        ? {
            kernels: await WebAssembly.compile(await readFile(join(folder, 'kernels.wasm'))),
            forward: await loadForwardModule(folder),
          }
        : undefined;
    const worker = join(folder, 'worker.js');
    return new WorkerPool(threads, backend, worker, new SharedRegions(), modules);
  }

  /**
   * Runs one method over tasks. `onResult` is called in task order; it may be asynchronous, and then
   * holds further work back. Rejects as soon as a task fails, a worker dies or `signal` is aborted.
   */
  async run<Name extends TaskMethod>(
    method: Name,
    tasks: Iterable<TaskOf<Name>>,
    onResult: (result: ResultOf<Name>, index: number) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.disposed) throw new Error('The worker pool was closed');
    if (signal?.aborted) throw cancelledError();
    const iterator = tasks[Symbol.iterator]();
    const results = new Map<number, unknown>();
    let started = 0;
    let delivered = 0;
    let exhausted = false;
    let delivering = false;

    await new Promise<void>((resolve, reject) => {
      const end = (error?: unknown) => {
        if (!this.jobs.delete(job)) return;
        signal?.removeEventListener('abort', onAbort);
        if (this.jobs.size === 0) this.closeFiles();
        if (error) reject(error);
        else resolve();
      };
      const onAbort = () => end(cancelledError());
      const deliver = async () => {
        if (delivering) return;
        delivering = true;
        try {
          while (results.has(delivered) && this.jobs.has(job)) {
            const result = results.get(delivered) as ResultOf<Name>;
            results.delete(delivered);
            const pending = onResult(result, delivered);
            if (pending) await pending;
            delivered++;
          }
          if (exhausted && delivered === started) end();
        } catch (error) {
          end(error);
        } finally {
          delivering = false;
          this.dispatch();
        }
      };
      const job: Job = {
        next: () => {
          // Results that wait for an earlier one are memory: stop ahead of the slowest worker.
          if (exhausted || started - delivered > 4 * QUEUED_PER_WORKER * this.threads) return;
          try {
            const { done, value } = iterator.next();
            if (!done) return { method, task: value as unknown as AnyTask, index: started++ };
            exhausted = true;
            if (delivered === started) end();
          } catch (error) {
            end(error);
          }
          return undefined;
        },
        finish(index, result) {
          results.set(index, result);
          void deliver();
        },
        fail: end,
      };
      signal?.addEventListener('abort', onAbort, { once: true });
      this.jobs.add(job);
      this.dispatch();
    });
  }

  /** Gives workers with room their next tasks, jobs taking turns. */
  private dispatch(): void {
    for (let given = true; given && !this.disposed;) {
      given = false;
      for (let slot = 0; slot < this.threads; slot++) {
        if ((this.workers[slot]?.load ?? 0) >= QUEUED_PER_WORKER) continue;
        for (const job of this.jobs) {
          const next = job.next();
          if (!next) continue;
          // Last in line now, so that a short job is not kept waiting by a long one.
          if (this.jobs.delete(job)) this.jobs.add(job);
          void this.execute(slot, job, next);
          given = true;
          break;
        }
      }
    }
  }

  private async execute(
    slot: number,
    job: Job,
    { method, task, index }: NonNullable<ReturnType<Job['next']>>,
  ): Promise<void> {
    try {
      const worker = this.workerAt(slot);
      const region = this.regions.regionFor(slot, regionBytes(task));
      const memoryEnd = this.regions.end;
      const result = await worker.call(method, { ...task, region, memoryEnd });
      if (this.jobs.has(job)) job.finish(index, result);
    } catch (error) {
      job.fail(error);
    } finally {
      this.dispatch();
    }
  }

  /** Memory that this pool's workers share, for as long as the pool lives. */
  reserve(bytes: number): MemoryRegion {
    return this.regions.reserve(bytes);
  }

  get memory(): WebAssembly.Memory {
    return this.regions.memory;
  }

  private workerAt(slot: number): PoolWorker {
    let worker = this.workers[slot];
    if (!worker || worker.dead) {
      worker = new PoolWorker(this.workerFile, {
        memory: this.regions.memory,
        modules: this.modules,
      });
      this.workers[slot] = worker;
    }
    return worker;
  }

  private closeFiles(): void {
    for (const worker of this.workers) worker?.closeFiles();
  }

  /** The threads that run now, for diagnostics and tests. */
  get runningWorkers(): readonly PoolWorker[] {
    return this.workers.filter((worker) => worker !== undefined && !worker.dead) as PoolWorker[];
  }

  /** Ends all workers; jobs under way are rejected. */
  async dispose(): Promise<void> {
    this.disposed = true;
    for (const job of [...this.jobs]) job.fail(new Error('The worker pool was closed'));
    await Promise.all(this.workers.map((worker) => worker?.terminate()));
    this.workers.fill(undefined);
  }
}
