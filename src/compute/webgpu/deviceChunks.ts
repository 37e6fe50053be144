import type { WeightSums } from '../../kernels/types.js';
import type { GpuView } from '../../kernels/webgpu/gpu.js';
import type { GpuChunkKernels } from '../../kernels/webgpu/gpuChunkKernels.js';
import { countStoredBytes, type ElementTypeName } from '../../storage/elementTypes.js';
import type { ByteReader } from '../../storage/openSources.js';
import { readChunk } from '../readChunk.js';
import type { ChunkRef } from '../tasks.js';
import type { GpuMemory } from './gpuMemory.js';

/** A chunk on the device. Weights in a buffer of their own are undefined once {@link end} was called. */
export interface DeviceChunk {
  /** f32 [rows × columns], row-major, finite. */
  readonly weights: GpuView;
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

  /** A chunk's bytes; undefined where they lie on the device. */
  async read(chunk: ChunkRef): Promise<Uint8Array<ArrayBuffer> | undefined> {
    if (chunk.source.kind === 'device') return undefined;
    const stored = new Uint8Array(countStoredBytes(chunk.dtype, chunk.rows * chunk.columns));
    await readChunk(this.reader, chunk, stored);
    return stored;
  }

  /**
   * Widens a chunk to f32 and replaces what is not finite by 0.
   * @param stored what {@link read} gave
   * @param target where it goes; absent: to a buffer of its own, until {@link DeviceChunk.end}
   */
  load(
    chunk: ChunkRef,
    stored: Uint8Array<ArrayBuffer> | undefined,
    target?: GpuView,
  ): DeviceChunk {
    const { gpu } = this.memory;
    const { rows, columns, storedStride } = chunk;
    const elements = rows * columns;
    const own: GpuView[] = [];
    const room = (): GpuView => {
      const view = gpu.acquire(elements * 4);
      own.push(view);
      return view;
    };
    const isTransposed = storedStride !== undefined;
    const view = isTransposed ? room() : (target ?? room());
    this.decode(chunk, stored, view);
    const sums = this.kernels.inspect(view, elements);
    const weights = isTransposed ? (target ?? room()) : view;
    if (isTransposed) this.kernels.transpose(view, weights, columns, rows);
    return { weights, sums, end: () => gpu.release(...own) };
  }

  /** Widens a chunk to f32, in the order in which it is stored. */
  decode(
    { dtype, offset, rows, columns }: ChunkRef,
    stored: Uint8Array<ArrayBuffer> | undefined,
    target: GpuView,
  ): void {
    if (stored) {
      this.upload(dtype, stored, target);
      return;
    }
    const bytes = countStoredBytes(dtype, rows * columns);
    const { view: lying, end } = this.memory.borrow(offset, bytes, 'read');
    this.kernels.decode(dtype, lying, rows * columns, target);
    end();
  }

  /** Widens elements that were read to f32. */
  upload(dtype: ElementTypeName, stored: Uint8Array<ArrayBuffer>, target: GpuView): void {
    const { gpu } = this.memory;
    const source = gpu.acquire(stored.byteLength);
    gpu.write(source, stored);
    this.kernels.decode(dtype, source, stored.byteLength / countStoredBytes(dtype, 1), target);
    gpu.release(source);
  }
}
