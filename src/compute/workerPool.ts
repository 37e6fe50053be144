import type { Host } from '../host/host.js';
import { loadForwardModule } from '../kernels/wasm/wasmForward.js';
import { countRegionBytes, type MemoryRegion } from '../kernels/workspace.js';
import { makeCancelledError, type Methods } from '../rpc/rpc.js';
import { CHUNK_ELEMENTS } from './chunks.js';
import { JobOutputs, OutputSlots } from './outputSlots.js';
import { PoolWorker, type WorkerStart } from './poolWorker.js';
import { SharedRegions } from './sharedRegions.js';
import type { TaskMachine, TaskRunner } from './taskMachine.js';
import type { ChunkTask, ScratchTask } from './tasks.js';
import type { SourceRef } from '../storage/sourceRef.js';

export interface PoolOptions {
  /** Worker threads, at most as many as the machine runs at once, which is the default. */
  readonly threads?: number;
  readonly backend?: 'wasm' | 'reference';
}

/**
 * Threads that a pool has: as many as are wanted and the machine runs at once. More would not be faster,
 * and each has memory of its own.
 * @param wanted absent or 0: as many as the machine runs at once
 */
export function chooseThreads({ parallelism }: Pick<Host, 'parallelism'>, wanted?: number): number {
  return Math.max(1, Math.min(Math.floor(wanted || parallelism), parallelism));
}

/** Tasks that wait at a worker while it computes, so that it never waits for messages. */
const QUEUED_PER_WORKER = 2;

type AnyTask = (Omit<ChunkTask, 'region'> | Omit<ScratchTask, 'region' | 'memoryEnd'>) & {
  readonly outputBytes?: number;
};

/** Bytes of a worker's region that a task needs. */
function regionBytes(task: AnyTask): number {
  return 'scratchBytes' in task
    ? task.scratchBytes
    : countRegionBytes(Math.max(task.chunk.rows * task.chunk.columns, CHUNK_ELEMENTS));
}

/** A task as it goes to a worker. */
interface StartedTask {
  readonly method: string;
  readonly task: AnyTask;
  readonly index: number;
  readonly output?: MemoryRegion;
}

interface Job {
  next(): StartedTask | undefined;
  finish(index: number, result: unknown): void;
  fail(error: unknown): void;
  /** Its worker is done with a task whose result nobody waits for any more. */
  drop(index: number): void;
}

/**
 * Worker threads over one shared WebAssembly memory. A job is a list of chunk tasks; results come
 * back in the order of the tasks, whatever the number of threads.
 */
export class WorkerPool implements TaskMachine {
  readonly flopsPerBatch = 6e12;
  readonly chunkElements = CHUNK_ELEMENTS;
  /** Weights pass through the caches once for so many, and no thread waits long. */
  readonly tileRows = 256;
  readonly arithmetic: string;
  private readonly jobs = new Set<Job>();
  private readonly outputSlots: OutputSlots;
  private readonly workers: (PoolWorker | undefined)[];
  private disposed = false;

  private constructor(
    readonly threads: number,
    readonly backend: 'wasm' | 'reference',
    readonly host: Host,
    private readonly regions: SharedRegions,
    private readonly modules: WorkerStart['modules'],
  ) {
    this.workers = new Array<undefined>(threads).fill(undefined);
    this.outputSlots = new OutputSlots(regions);
    this.arithmetic = backend;
  }

  static async create(host: Host, options: PoolOptions = {}): Promise<WorkerPool> {
    const threads = chooseThreads(host, options.threads);
    const backend = options.backend ?? 'wasm';
    const modules =
      backend === 'wasm'
        ? {
            kernels: await WebAssembly.compile(await host.assets.read('kernels.wasm')),
            forward: await loadForwardModule(host.assets),
          }
        : undefined;
    return new WorkerPool(threads, backend, host, new SharedRegions(), modules);
  }

  /** The pool as a runner of one of the interfaces that its workers fulfil. */
  tasks<Api extends Methods<Api>>(): TaskRunner<Api> {
    return {
      run: (method, tasks, onResult, signal) =>
        this.run(
          method,
          tasks as Iterable<AnyTask>,
          onResult as (result: unknown, index: number) => void | Promise<void>,
          signal,
        ),
    };
  }

  private async run(
    method: string,
    tasks: Iterable<AnyTask>,
    onResult: (result: unknown, index: number) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    if (this.disposed) throw new Error('The worker pool was closed');
    if (signal?.aborted) throw makeCancelledError();
    const iterator = tasks[Symbol.iterator]();
    const results = new Map<number, unknown>();
    // As many slots as the workers have tasks at hand, and as many again for the writer behind them.
    const outputs = new JobOutputs(this.outputSlots, 2 * QUEUED_PER_WORKER * this.threads);
    let waiting: AnyTask | undefined;
    let started = 0;
    let delivered = 0;
    let exhausted = false;
    let delivering = false;

    await new Promise<void>((resolve, reject) => {
      const end = (error?: unknown) => {
        if (!this.jobs.delete(job)) return;
        signal?.removeEventListener('abort', onAbort);
        if (this.jobs.size === 0) this.closeFiles();
        for (const index of results.keys()) outputs.release(index);
        if (error)
          reject(error instanceof Error ? error : new Error('A job failed', { cause: error }));
        else resolve();
      };
      const onAbort = () => end(makeCancelledError());
      const deliver = async () => {
        if (delivering) return;
        delivering = true;
        try {
          while (results.has(delivered) && this.jobs.has(job)) {
            const result = results.get(delivered);
            results.delete(delivered);
            const index = delivered;
            try {
              const pending = onResult(result, index);
              if (pending) await pending;
            } finally {
              outputs.release(index);
            }
            delivered++;
            // A slot is free: a worker need not wait until all results at hand are written.
            if (this.jobs.has(job)) this.dispatch();
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
            if (!waiting) {
              const { done, value } = iterator.next();
              if (done) {
                exhausted = true;
                if (delivered === started) end();
                return;
              }
              waiting = value;
            }
            const task = waiting;
            if (!outputs.reserve(started, task.outputBytes)) return;
            waiting = undefined;
            const index = started++;
            return { method, task, index, output: outputs.of(index) };
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
        drop: (index) => outputs.release(index),
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
    { method, task, index, output }: StartedTask,
  ): Promise<void> {
    try {
      const worker = this.workerAt(slot);
      const region = this.regions.regionFor(slot, regionBytes(task));
      const memoryEnd = this.regions.end;
      const result = await worker.call(method, { ...task, region, memoryEnd, output });
      if (this.jobs.has(job)) job.finish(index, result);
      else job.drop(index);
    } catch (error) {
      job.fail(error);
      job.drop(index);
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

  write(at: number, values: Float32Array | Int32Array): void {
    const Values = values instanceof Float32Array ? Float32Array : Int32Array;
    new Values(this.memory.buffer, at, values.length).set(values);
  }

  /** A view of the memory. */
  readFloats(at: number, count: number): Promise<Float32Array> {
    return Promise.resolve(new Float32Array(this.memory.buffer, at, count));
  }

  copy(from: number, to: number, bytes: number): void {
    new Uint8Array(this.memory.buffer).copyWithin(to, from, from + bytes);
  }

  readsLoaded(): boolean {
    return true;
  }

  loadedSource(name: string): SourceRef {
    const bytes = this.memory.buffer as unknown as SharedArrayBuffer;
    return { kind: 'memory', name, bytes };
  }

  private workerAt(slot: number): PoolWorker {
    let worker = this.workers[slot];
    if (!worker || worker.dead) {
      worker = new PoolWorker(this.host, {
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
    await Promise.all(this.workers.map(async (worker) => worker?.terminate()));
    this.workers.fill(undefined);
  }
}
