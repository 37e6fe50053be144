import type { Host, Thread } from '../../host/host.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import type { AdapterDescription } from '../../kernels/webgpu/adapter.js';
import { GpuFailure, isGpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import { isDecodedOnGpu, isQuantizedOnGpu } from '../../kernels/webgpu/support.js';
import { isCancelled, throwIfCancelled, untilCancelled, type Methods } from '../../rpc/rpc.js';
import type { SourceRef } from '../../storage/sourceRef.js';
import type { LoadedWeights, TaskMachine, TaskRunner } from '../taskMachine.js';
import type { WorkerPool } from '../workerPool.js';
import { SLOT_BYTES } from './gpuMemory.js';
import type { GpuServiceApi } from './gpuService.js';
import { mapSources, type HostSources } from './hostSources.js';

/** A device that somebody serves: a process, or a worker of a page. */
export interface GpuConnection {
  readonly adapter: AdapterDescription;
  /** What implements WebGPU there: another one's shaders may round otherwise on the same adapter. */
  readonly implementation: 'browser' | 'Dawn in Node';
  readonly service: Pick<Thread<GpuServiceApi>, 'remote' | 'whileAlive' | 'ended' | 'terminate'>;
  /** Where the other side finds bytes that it cannot read itself. */
  readonly sources: HostSources;
}

/**
 * A task that the device does not do, as the threads do it; undefined where the device does. Results lie where
 * tasks want them: in the memory of the device.
 */
export type TaskOnThreads = (
  method: string,
  task: never,
  machine: GpuMachine,
) => (() => Promise<unknown>) | undefined;

/** Tasks that are sent before the first of them is done. */
const QUEUED = 8;
/** A device that takes longer for the one task that is under way when its job ends hangs. */
const ANSWER_MILLISECONDS = 5000;

export interface GpuMachineOptions {
  /** Of the job: waiting for the device ends with it, whether or not that answers. */
  readonly signal?: AbortSignal;
  /** How long the device may take to let go of the job; other values in tests. */
  readonly answerMilliseconds?: number;
}

let nextSession = 1;

/**
 * A device as a machine of one job. What its kernels do not do, the threads do.
 * @throws GpuFailure, from every call, once the device cannot be used any more
 */
export class GpuMachine implements TaskMachine {
  readonly backend = 'webgpu';
  readonly threads = 1;
  /** Some seconds of a fast device, and weights on their way to it a small part of that. */
  readonly flopsPerBatch = 6e13;
  readonly chunkElements = 1 << 22;
  /** As many workgroups as a large device runs at once. */
  readonly tileRows = 2048;
  readonly host: Host;
  readonly arithmetic: string;
  private readonly session = nextSession++;
  private nextSlot = 1;
  private failure: Error | undefined;

  constructor(
    readonly connection: GpuConnection,
    /** For what the device does not do. */
    readonly pool: WorkerPool,
    private readonly onThreads: readonly TaskOnThreads[],
    private readonly options: GpuMachineOptions = {},
  ) {
    this.host = pool.host;
    this.arithmetic = nameArithmetic(connection);
    void this.send('begin', this.session);
  }

  tasks<Api extends Methods<Api>>(): TaskRunner<Api> {
    return {
      run: (method, tasks, onResult, signal) =>
        this.run(
          method,
          tasks,
          onResult as (result: unknown, index: number) => void | Promise<void>,
          signal,
        ),
    };
  }

  reserve(bytes: number): MemoryRegion {
    const start = this.nextSlot++ * SLOT_BYTES;
    if (bytes > SLOT_BYTES) throw new GpuFailure('This needs more memory than the GPU has');
    void this.send('reserve', { session: this.session, at: start, bytes });
    return { start, bytes };
  }

  write(at: number, values: Float32Array | Int32Array): void {
    // A copy: what lies in shared memory cannot be sent.
    void this.send('write', { session: this.session, at, values: values.slice() });
  }

  copy(from: number, to: number, bytes: number): void {
    void this.send('copy', { session: this.session, from, to, bytes });
  }

  async readFloats(at: number, count: number): Promise<Float32Array> {
    const reading = this.send('readFloats', { session: this.session, at, count });
    const floats = await untilCancelled(reading, this.options.signal);
    this.refuseFailed();
    return floats!;
  }

  readsLoaded({ dtype, transposed, isNoisy, format }: LoadedWeights): boolean {
    return (
      !transposed && !isNoisy && isDecodedOnGpu(dtype) && (!format || isQuantizedOnGpu(format))
    );
  }

  loadedSource(name: string): SourceRef {
    return { kind: 'device', name };
  }

  /** Gives back the job's memory. A device that does not answer is given up, for all of its jobs. */
  async end(): Promise<void> {
    const { answerMilliseconds = ANSWER_MILLISECONDS } = this.options;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<'late'>((resolve) => {
      timer = setTimeout(() => resolve('late'), answerMilliseconds);
    });
    const answer = await Promise.race([this.send('end', this.session), late]);
    clearTimeout(timer);
    // Not awaited: what hangs in a driver may not even be ended.
    if (answer === 'late') this.connection.service.terminate().catch(() => undefined);
  }

  private async run(
    method: string,
    tasks: Iterable<unknown>,
    onResult: (result: unknown, index: number) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void> {
    const underWay: Promise<unknown>[] = [];
    let delivered = 0;
    const deliver = async () => {
      const result = await untilCancelled(underWay.shift()!, signal);
      this.refuseFailed();
      await onResult(result, delivered++);
    };
    // What is under way when this fails is left to itself: the device drops it with the job.
    for (const task of tasks) {
      throwIfCancelled(signal);
      const started = this.start(method, task);
      // It is awaited in its turn; until then a failure waits.
      started.catch(() => undefined);
      underWay.push(started);
      if (underWay.length >= QUEUED) await deliver();
    }
    while (underWay.length > 0) await deliver();
  }

  private async start(method: string, task: unknown): Promise<unknown> {
    for (const onThreads of this.onThreads) {
      const run = onThreads(method, task as never, this);
      if (run) return run();
    }
    return this.runOnDevice(method, task);
  }

  /** Runs one task on the device. */
  async runOnDevice(method: string, task: unknown): Promise<unknown> {
    const sent = mapSources(task, (source) => this.connection.sources.share(source));
    const result = await this.send('run', { session: this.session, method, task: sent });
    this.refuseFailed();
    return result;
  }

  /** Sends in order; a failure is kept, and everything after it fails. */
  private async send<Name extends keyof GpuServiceApi>(
    name: Name,
    argument: Parameters<GpuServiceApi[Name]>[0],
  ): Promise<Awaited<ReturnType<GpuServiceApi[Name]>> | undefined> {
    const { remote, whileAlive } = this.connection.service;
    try {
      if (name !== 'end') this.refuseFailed();
      return await whileAlive(remote[name](argument as never) as never);
    } catch (error) {
      if (isCancelled(error)) throw error;
      this.failure ??= isFailureOfDevice(error, this.connection)
        ? new GpuFailure((error as Error).message, { cause: error })
        : (error as Error);
      return undefined;
    }
  }

  private refuseFailed(): void {
    if (this.failure) throw this.failure;
  }
}

/** Names a device and what drives it, for scores that must not be mixed with those of others. */
export function nameArithmetic({ adapter, implementation }: GpuConnection): string {
  const { vendor, architecture, description } = adapter;
  return ['webgpu', implementation, vendor, architecture, description].join(' ');
}

/** What the device or its process did, as opposed to what a file is like. */
function isFailureOfDevice(error: unknown, { service }: GpuConnection): boolean {
  return isGpuFailure(error) || service.ended;
}
