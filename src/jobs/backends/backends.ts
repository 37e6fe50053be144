import {
  GpuMachine,
  nameArithmetic,
  type GpuConnection,
  type TaskOnThreads,
} from '../../compute/webgpu/gpuMachine.js';
import { WorkerPool } from '../../compute/workerPool.js';
import { GpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import { probeMachine, type MachineRates } from '../../model/evaluation/probeMachine.js';
import { chunksOnThreads } from '../../compute/webgpu/chunksOnThreads.js';
import { forwardOnThreads } from '../../model/forward/webgpu/forwardOnThreads.js';
import { isCancelled, throwIfCancelled, untilCancelled, type CallOptions } from '../../rpc/rpc.js';
import { MeasuredRates } from './measuredRates.js';

/** What a user may ask for. */
export type BackendChoice = 'auto' | 'wasm' | 'webgpu' | 'reference';

/** Where a GPU comes from. */
export interface GpuProvider {
  /**
   * The GPU, started when it is asked for first.
   * @throws GpuFailure that says in one sentence why there is none
   */
  connect(): Promise<GpuConnection>;
}

/** What a job does, for an estimate of its time. */
export interface JobWork {
  /** Bytes of weights that come into memory. */
  readonly bytes: number;
  /** Weights that are quantized, once for each format. */
  readonly quantized: number;
  /** Multiplications and additions. */
  readonly flops: number;
}

/** Where a job runs. */
export interface ChosenBackend {
  /** Absent: on the threads of the pool. To be ended with the job. */
  readonly gpu?: GpuMachine;
  /** Why, in one sentence; absent where there was nothing to choose. */
  readonly reason?: string;
}

const ON_THREADS: readonly TaskOnThreads[] = [chunksOnThreads, forwardOnThreads];
/** Shorter jobs are not worth measuring machines for. */
const LEAST_SECONDS = 2;
/** What threads of an ordinary machine do, to tell short jobs. */
const ORDINARY: MachineRates = { bytes: 1e9, quantized: 1e9, flops: 1e11 };

export interface BackendsOptions {
  /** A GPU that is asked for by name and is not there is an error; otherwise threads do the job, and the report says why. */
  readonly mustHaveGpu?: boolean;
  /** Hears in one sentence what was found and chosen. */
  readonly log?: (line: string) => void;
  /** What machines are known to do, and where what is measured goes; absent: nothing is known yet. */
  readonly rates?: MeasuredRates;
  /** Measures machines; another function in tests. */
  readonly measure?: typeof probeMachine;
}

/** Chooses between threads and a GPU, job by job. */
export class Backends {
  private connection: GpuConnection | undefined;
  private connecting: Promise<GpuConnection> | undefined;
  private readonly rates: MeasuredRates;
  /** Where jobs, too, say what became of their choice. */
  readonly log: (line: string) => void;
  private readonly measure: typeof probeMachine;

  constructor(
    readonly choice: BackendChoice,
    private readonly provider: GpuProvider | undefined,
    private readonly options: BackendsOptions = {},
  ) {
    this.log = options.log ?? (() => undefined);
    this.rates = options.rates ?? new MeasuredRates();
    this.measure = options.measure ?? probeMachine;
  }

  /**
   * Where a job is to run.
   * @throws GpuFailure where a GPU is asked for by name and there is none
   */
  async choose(
    pool: WorkerPool,
    work: JobWork,
    { signal, onProgress }: CallOptions = {},
  ): Promise<ChosenBackend> {
    if (this.choice === 'wasm' || this.choice === 'reference' || !this.provider) return {};
    if (this.choice === 'webgpu') return this.takeGpu(pool, signal);
    if (secondsFor(work, ORDINARY) < LEAST_SECONDS) return {};
    try {
      const connection = await this.connect(signal);
      const { description, isSoftware } = connection.adapter;
      if (isSoftware) {
        this.log(
          `Runs on ${pool.backend}: the adapter that was found, ${description}, computes on the CPU; only the backend "webgpu" takes it.`,
        );
        return {};
      }
      const onMeasure = () => onProgress?.({ done: 0, total: 1, message: 'Measuring the GPU' });
      const ofGpu = await this.measureGpu(pool, connection, { signal, onMeasure });
      const gpu = secondsFor(work, ofGpu);
      const threads = secondsFor(work, await this.measureThreads(pool, signal));
      const takesGpu = gpu < threads;
      const reason = `about ${formatSeconds(gpu)} on ${description}, ${formatSeconds(threads)} on ${pool.threads} threads`;
      this.log(`Runs on ${takesGpu ? 'webgpu' : pool.backend}: ${reason}.`);
      return takesGpu
        ? { gpu: new GpuMachine(connection, pool, ON_THREADS, { signal }), reason }
        : { reason };
    } catch (error) {
      // What ends a job may end its page, too.
      throwIfCancelled(signal);
      if (isCancelled(error)) throw error;
      // No GPU: the threads do it, and nobody need hear of it but the log.
      this.log(`Runs on ${pool.backend}: ${explainNoGpu(error)}.`);
      return {};
    }
  }

  private async takeGpu(pool: WorkerPool, signal?: AbortSignal): Promise<ChosenBackend> {
    try {
      const connection = await this.connect(signal);
      const { description, isSoftware } = connection.adapter;
      const kind = isSoftware ? ', which computes on the CPU' : '';
      const reason = `${description}${kind}, as asked for`;
      this.log(`Runs on webgpu: ${reason}.`);
      return { gpu: new GpuMachine(connection, pool, ON_THREADS, { signal }), reason };
    } catch (error) {
      throwIfCancelled(signal);
      if (this.options.mustHaveGpu || isCancelled(error)) throw error;
      const reason = `webgpu was asked for, but ${explainNoGpu(error)}`;
      this.log(`Runs on ${pool.backend}: ${reason}.`);
      return { reason };
    }
  }

  private measureGpu(
    pool: WorkerPool,
    connection: GpuConnection,
    { signal, onMeasure }: { readonly signal?: AbortSignal; readonly onMeasure: () => void },
  ): Promise<MachineRates> {
    const measure = async () => {
      onMeasure();
      const device = new GpuMachine(connection, pool, ON_THREADS, { signal });
      try {
        return await this.measure(device, signal);
      } finally {
        await device.end();
      }
    };
    return this.rates.of(nameArithmetic(connection), measure, signal);
  }

  private measureThreads(pool: WorkerPool, signal: AbortSignal | undefined): Promise<MachineRates> {
    const measure = async () => {
      // Memory of a pool is never given back: it is measured on one of its own.
      const threads = await WorkerPool.create(pool.host, { threads: pool.threads });
      try {
        return await this.measure(threads, signal);
      } finally {
        await threads.dispose();
      }
    };
    return this.rates.of(`${pool.arithmetic}, ${pool.threads} threads`, measure, signal);
  }

  private async connect(signal: AbortSignal | undefined): Promise<GpuConnection> {
    const { provider } = this;
    if (!provider) throw new GpuFailure('There is no GPU here');
    // One whose process has ended is of no use any more.
    if (this.connection && !this.connection.service.ended) return this.connection;
    // Whoever gives up waiting leaves it to the next job, which does not start another.
    this.connecting ??= provider
      .connect()
      .then((connection) => (this.connection = connection))
      .finally(() => (this.connecting = undefined));
    return untilCancelled(this.connecting, signal);
  }
}

function explainNoGpu(error: unknown): string {
  return `no GPU can be used (${error instanceof Error ? error.message : String(error)})`;
}

function secondsFor({ bytes, quantized, flops }: JobWork, rates: MachineRates): number {
  return bytes / rates.bytes + quantized / rates.quantized + flops / rates.flops;
}

function formatSeconds(seconds: number): string {
  return `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;
}
