import type { WeightSums } from '../../kernels/types.js';
import type { GpuView } from '../../kernels/webgpu/gpu.js';
import type { GpuChunkKernels } from '../../kernels/webgpu/gpuChunkKernels.js';
import { countStoredBytes } from '../../storage/elementTypes.js';
import type { ByteReader } from '../../storage/openSources.js';
import { readChunk } from '../readChunk.js';
import type { ChunkRef } from '../tasks.js';
import type { GpuMemory } from './gpuMemory.js';

/** A chunk on the device. Its weights are undefined once {@link end} was called. */
export interface DeviceChunk {
  /** f32 [rows × columns], row-major, finite. */
  readonly weights: GpuView;
  /** As it was read; absent where it lay on the device. */
  readonly stored?: Uint8Array<ArrayBuffer>;
  /** Sums over it in the order in which it is stored; there when results are collected. */
  readonly sums: Promise<WeightSums>;
  end(): void;
}

/** Brings chunks of tensors onto a device. */
export class DeviceChunks {
  constructor(
    readonly memory: GpuMemory,
    readonly kernels: GpuChunkKernels,
    private readonly reader: ByteReader,
  ) {}

  /** Settles the results of what was recorded before. */
  collect(): Promise<void> {
    const collected = this.kernels.collect();
    // Who waits for a result hears of a failure, and nobody may.
    collected.catch(() => undefined);
    return collected;
  }

  /** Reads a chunk, widens it and replaces what is not finite by 0. */
  async load(chunk: ChunkRef): Promise<DeviceChunk> {
    const { gpu } = this.memory;
    const { rows, columns } = chunk;
    const elements = rows * columns;
    const { view, stored } = await this.decode(chunk);
    const sums = this.kernels.inspect(view, elements);
    if (chunk.storedStride === undefined) {
      return { weights: view, stored, sums, end: () => gpu.release(view) };
    }
    const weights = gpu.acquire(elements * 4);
    this.kernels.transpose(view, weights, columns, rows);
    gpu.release(view);
    return { weights, stored, sums, end: () => gpu.release(weights) };
  }

  /** Reads a chunk and widens it, in the order in which it is stored. The view is to be released. */
  async decode(
    chunk: ChunkRef,
  ): Promise<{ readonly view: GpuView; readonly stored?: Uint8Array<ArrayBuffer> }> {
    const { gpu } = this.memory;
    const { dtype, source, offset } = chunk;
    const elements = chunk.rows * chunk.columns;
    const bytes = countStoredBytes(dtype, elements);
    if (source.kind === 'device') {
      const { view: lying, end } = this.memory.borrow(offset, bytes, 'read');
      const view = gpu.acquire(elements * 4);
      this.kernels.decode(dtype, lying, elements, view);
      end();
      return { view };
    }
    const stored = new Uint8Array(bytes);
    await readChunk(this.reader, chunk, stored);
    return { view: this.upload(chunk, stored), stored };
  }

  /** Widens elements that were read. */
  upload({ dtype }: Pick<ChunkRef, 'dtype'>, stored: Uint8Array<ArrayBuffer>): GpuView {
    const { gpu } = this.memory;
    const elements = stored.byteLength / countStoredBytes(dtype, 1);
    const source = gpu.acquire(stored.byteLength);
    const view = gpu.acquire(elements * 4);
    gpu.write(source, stored);
    this.kernels.decode(dtype, source, elements, view);
    gpu.release(source);
    return view;
  }
}
