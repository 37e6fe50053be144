import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { openCheckpoint } from '../../src/checkpoint/openCheckpoint.js';
import type { Checkpoint } from '../../src/checkpoint/types.js';
import { WorkerPool, type PoolOptions } from '../../src/compute/workerPool.js';
import type { Host } from '../../src/host/host.js';
import { makeNodeHost } from '../../src/host/node/nodeHost.js';
import { writeSafetensors } from '../../src/safetensors/node/writer.js';
import type { ElementTypeName } from '../../src/storage/elementTypes.js';
import { localFileSystem } from '../../src/storage/node/localFileSystem.js';

/** The embedded sample model. */
export const SAMPLE = fileURLToPath(new URL('../../media/sample', import.meta.url));

/** Folder of the built workers and kernels. */
export const ASSETS = fileURLToPath(new URL('../../dist', import.meta.url));

/** The built workers and kernels. */
export const HOST = makeNodeHost(ASSETS);

/**
 * A pool over the built worker; closed when the test ends. It has the threads asked for, however many
 * the machine runs at once.
 */
export async function createPool(
  options: PoolOptions = {},
  host: Host = HOST,
): Promise<WorkerPool> {
  const { threads = 2 } = options;
  const pool = await WorkerPool.create({ ...host, parallelism: threads }, { ...options, threads });
  onTestFinished(() => pool.dispose());
  return pool;
}

/** A checkpoint on the local disk. */
export function openLocalCheckpoint(path: string): Promise<Checkpoint> {
  return openCheckpoint(path, localFileSystem);
}

/** A folder that is gone when the test ends. */
export async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'quantscope-test-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

export interface TestTensor {
  readonly dtype: ElementTypeName;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Writes a checkpoint of given tensors; returns its path. */
export async function writeCheckpoint(
  tensors: Readonly<Record<string, TestTensor>>,
  folder?: string,
): Promise<string> {
  const path = join(folder ?? (await temporaryFolder()), 'model.safetensors');
  const entries = Object.entries(tensors).map(([name, tensor]) => ({ name, ...tensor }));
  await writeSafetensors(path, entries, { format: 'pt' }, (entry, sink) => sink.write(entry.bytes));
  return path;
}

/** F32 values as a tensor. */
export function f32Tensor(shape: readonly number[], values: Float32Array): TestTensor {
  return { dtype: 'F32', shape, bytes: new Uint8Array(values.buffer) };
}

/** Reproducible, roughly normal weights of standard deviation 0.02. */
export function syntheticWeights(count: number, seed = 1): Float32Array {
  let state = seed >>> 0;
  const uniform = () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return Float32Array.from(
    { length: count },
    () => (uniform() + uniform() + uniform() + uniform() - 2) * 0.035,
  );
}
