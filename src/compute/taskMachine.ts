import type { NumberFormat } from '../formats/types.js';
import type { Host } from '../host/host.js';
import type { MemoryRegion } from '../kernels/workspace.js';
import type { Methods } from '../rpc/rpc.js';
import type { ElementTypeName } from '../storage/elementTypes.js';
import type { SourceRef } from '../storage/sourceRef.js';

/** What computes: threads with one of two kinds of kernels, or a GPU. */
export type BackendName = 'wasm' | 'reference' | 'webgpu';

/** A task as a job states it; who runs it adds where in memory it runs. */
export type TaskOf<Api extends Methods<Api>, Name extends keyof Api> = Omit<
  Parameters<Api[Name]>[0],
  'region' | 'memoryEnd' | 'output'
>;
export type ResultOf<Api extends Methods<Api>, Name extends keyof Api> = Awaited<
  ReturnType<Api[Name]>
>;

/** Runs tasks of one interface. */
export interface TaskRunner<Api extends Methods<Api>> {
  /**
   * Runs one method over tasks. `onResult` is called in task order; it may be asynchronous, and then
   * holds further work back. Rejects as soon as a task fails, a worker dies or `signal` is aborted.
   *
   * A task with `outputBytes` is given a slot of the shared memory to write to, which holds what the
   * worker wrote until `onResult` is done with the task.
   */
  run<Name extends keyof Api & string>(
    method: Name,
    tasks: Iterable<TaskOf<Api, Name>>,
    onResult: (result: ResultOf<Api, Name>, index: number) => void | Promise<void>,
    signal?: AbortSignal,
  ): Promise<void>;
}

/** Weights that lie in a machine's memory as they are stored, and what becomes of them. */
export interface LoadedWeights {
  readonly dtype: ElementTypeName;
  readonly transposed: boolean;
  /** Noise is added to them. */
  readonly isNoisy?: boolean;
  readonly format?: NumberFormat;
}

/**
 * What runs tasks over memory of its own, which tasks name by addresses: threads over one WebAssembly
 * memory, or a GPU. Jobs do not know which.
 */
export interface TaskMachine {
  readonly host: Host;
  readonly backend: BackendName;
  /** Names what results depend on in their last bits: those of one are not mixed with those of another. */
  readonly arithmetic: string;
  /** Whether tasks read such weights from {@link loadedSource}. */
  readsLoaded(weights: LoadedWeights): boolean;
  /** Tasks that run at once. */
  readonly threads: number;
  /** The machine as a runner of one of the interfaces that it fulfils. */
  tasks<Api extends Methods<Api>>(): TaskRunner<Api>;
  /** Multiplications and additions after which a job keeps its results: a failure loses no more than these. */
  readonly flopsPerBatch: number;
  /** Elements of an ordinary chunk of a tensor. */
  readonly chunkElements: number;
  /** Rows of hidden states that make the most of weights. */
  readonly tileRows: number;
  /** Memory for as long as the machine lives. */
  reserve(bytes: number): MemoryRegion;
  /** Writes numbers of 4 bytes at an address; tasks that are started later see them. */
  write(at: number, values: Float32Array | Int32Array): void;
  /** What lies at an address: it may be the memory itself, and then holds until the next task. */
  readFloats(at: number, count: number): Promise<Float32Array>;
  /** Copies within the memory; tasks that are started later see it. */
  copy(from: number, to: number, bytes: number): void;
  /** The memory as a source of bytes that were loaded into it: their offsets are addresses. */
  loadedSource(name: string): SourceRef;
}
