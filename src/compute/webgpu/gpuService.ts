import type { AdapterDescription, DeviceLimits } from '../../kernels/webgpu/adapter.js';
import type { Gpu, GpuCounts } from '../../kernels/webgpu/gpu.js';
import type { Handlers } from '../../rpc/rpc.js';
import { TaskQueue } from '../taskQueue.js';
import { GpuMemory } from './gpuMemory.js';

/** A place in the memory of a job. */
interface Place {
  readonly session: number;
  readonly at: number;
}

/** What a device does for jobs. Each has a session: memory of its own that ends with it. */
export interface GpuServiceApi {
  describe(argument: unknown): { adapter: AdapterDescription; limits: DeviceLimits };
  begin(session: number): void;
  /** Ends when the task under way has; tasks of the session that have not begun fail. */
  end(session: number): void;
  /** Makes memory at a multiple of `SLOT_BYTES`. */
  reserve(task: Place & { readonly bytes: number }): void;
  write(task: Place & { readonly values: Float32Array | Int32Array }): void;
  copy(task: { session: number; from: number; to: number; bytes: number }): void;
  readFloats(task: Place & { readonly count: number }): Float32Array;
  /** Runs a task of the session's interfaces. */
  run(call: { session: number; method: string; task: unknown }): unknown;
  /** What is alive on the device. */
  counts(argument: unknown): GpuCounts;
}

/** Does the reading and records the commands of a task. @returns what waits for its result */
export type GpuMethod = (task: never) => Promise<() => unknown>;
/** Tasks of a session by name. */
export type GpuMethods = Readonly<Record<string, GpuMethod>>;

/** Runs of commands under way at once: reading goes on meanwhile, and what was uploaded stays bounded. */
const MAX_UNDER_WAY = 4;

/** A job on the device. */
interface Session {
  readonly memory: GpuMemory;
  readonly methods: GpuMethods;
}

/**
 * Serves a device. Tasks begin in the order in which they came, whatever their session, and the next begins
 * before the results of those before it are there.
 * @param methodsOf the tasks of a session, over its memory
 * @param onIdle called when the last session has ended
 */
export function makeGpuService(
  gpu: Gpu,
  methodsOf: (memory: GpuMemory) => GpuMethods,
  onIdle: () => void = () => undefined,
): Handlers<GpuServiceApi> {
  const sessions = new Map<number, Session>();
  /** Of these, tasks that have not begun are dropped. */
  const ending = new Set<number>();
  const queue = new TaskQueue();
  const underWay: Promise<void>[] = [];
  const sessionOf = (id: number): Session => {
    const session = sessions.get(id);
    if (!session || ending.has(id)) throw new Error('The job on the GPU has ended');
    return session;
  };
  /** Waits where the device is far behind. */
  const pace = async (): Promise<void> => {
    const done = gpu.finish();
    // It is awaited below, or by whoever asks for a result next.
    done.catch(() => undefined);
    underWay.push(done);
    if (underWay.length > MAX_UNDER_WAY) await underWay.shift();
  };
  const inTurn = async <Result>(work: () => Promise<() => Result>): Promise<Awaited<Result>> =>
    await (
      await queue.run(work)
    )();

  return {
    describe: () => ({ adapter: gpu.adapter, limits: gpu.limits }),
    counts: () => gpu.counts,
    begin: (session) => {
      const memory = new GpuMemory(gpu);
      sessions.set(session, { memory, methods: methodsOf(memory) });
    },
    end: (id) => {
      ending.add(id);
      return inTurn(async () => {
        sessions.get(id)?.memory.end();
        sessions.delete(id);
        ending.delete(id);
        if (sessions.size === 0) onIdle();
        return Promise.resolve(() => undefined);
      });
    },
    reserve: ({ session, at, bytes }) =>
      inTurn(() => {
        sessionOf(session).memory.reserve(at, bytes);
        return Promise.resolve(() => undefined);
      }),
    write: ({ session, at, values }) =>
      inTurn(() => {
        const { memory } = sessionOf(session);
        writeBytes(memory, at, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
        return Promise.resolve(() => undefined);
      }),
    copy: ({ session, from, to, bytes }) =>
      inTurn(() => {
        copyBytes(sessionOf(session).memory, from, to, bytes);
        return Promise.resolve(() => undefined);
      }),
    readFloats: ({ session, at, count }) =>
      inTurn(() => {
        const read = readBytes(sessionOf(session).memory, at, count * 4);
        return Promise.resolve(async () => new Float32Array((await read).buffer));
      }),
    run: ({ session, method, task }) =>
      inTurn(async () => {
        const { methods } = sessionOf(session);
        if (!Object.hasOwn(methods, method)) throw new Error(`The GPU has no method ${method}`);
        const result = await methods[method](task as never);
        await pace();
        return result;
      }),
  };
}

/** Copies bytes from one address to another, buffer by buffer: together they may be more than one holds. */
function copyBytes(memory: GpuMemory, from: number, to: number, bytes: number): void {
  let done = 0;
  for (const source of memory.partsOf(from, bytes)) {
    let { offset } = source;
    for (const target of memory.partsOf(to + done, source.bytes)) {
      memory.gpu.copy({ ...source, offset, bytes: target.bytes }, target);
      offset += target.bytes;
    }
    done += source.bytes;
  }
}

/** Writes bytes at an address. */
export function writeBytes(memory: GpuMemory, at: number, bytes: Uint8Array): void {
  let done = 0;
  for (const view of memory.partsOf(at, bytes.byteLength)) {
    memory.gpu.write(view, bytes.subarray(done, done + view.bytes));
    done += view.bytes;
  }
}

/** Bytes at an address, when everything before is done. */
export async function readBytes(
  memory: GpuMemory,
  at: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  // Read at once: commands that come later are not seen.
  const parts = memory.partsOf(at, bytes).map((view) => memory.gpu.read(view));
  if (parts.length === 1) return parts[0];
  const result = new Uint8Array(bytes);
  let done = 0;
  for (const part of await Promise.all(parts)) {
    result.set(part, done);
    done += part.byteLength;
  }
  return result;
}
