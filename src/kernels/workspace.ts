import type { ElementTypeName } from '../storage/elementTypes.js';

/** A part of a shared memory that belongs to one worker. Byte addresses. */
export interface MemoryRegion {
  readonly start: number;
  readonly bytes: number;
}

/** Bytes for sums, one grid and the scratch of block formats, before the weights. */
const TABLE_BYTES = 16384;
/** Elements that kernels may write or read beyond the end. */
const SLACK = 64;
/** The output area also serves for 65,536 counts. */
const MIN_CAPACITY = 65536;

/** Size of the region in which a workspace for chunks of `elements` weights fits. */
export function countRegionBytes(elements: number): number {
  const padded = Math.max(Math.ceil(elements / SLACK) * SLACK, MIN_CAPACITY) + SLACK;
  return TABLE_BYTES + padded * (4 + 4 + 8);
}

/** Bytes that an output area for `elements` dequantized weights takes, as F32. */
export function outputBytesFor(elements: number): number {
  return (Math.ceil(elements / SLACK) * SLACK + SLACK) * 4;
}

/**
 * Addresses within a worker's region: tables, then the weights of a chunk as f32, their dequantized
 * values, and the bytes as read.
 */
export class Workspace {
  readonly capacity: number;
  readonly tables: number;
  readonly weightsAt: number;
  readonly outputAt: number;
  readonly rawAt: number;

  constructor(
    readonly memory: WebAssembly.Memory,
    region: MemoryRegion,
    /** Where dequantized weights go instead, see {@link outputBytesFor}; 16-byte aligned. */
    output?: MemoryRegion,
  ) {
    const padded = Math.floor((region.bytes - TABLE_BYTES) / 16 / SLACK) * SLACK;
    this.capacity = padded - SLACK;
    this.tables = region.start;
    this.weightsAt = region.start + TABLE_BYTES;
    this.outputAt = this.weightsAt + padded * 4;
    this.rawAt = this.outputAt + padded * 4;
    if (output) this.outputAt = output.start;
  }

  floats(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  bytes(at: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, at, length);
  }

  /** Where the bytes of a chunk go: F32 straight to the weights, others to be decoded. */
  inputAt(dtype: ElementTypeName): number {
    return dtype === 'F32' ? this.weightsAt : this.rawAt;
  }

  checkCapacity(elements: number): void {
    if (elements > this.capacity) {
      throw new Error(`A chunk of ${elements} weights exceeds the workspace of ${this.capacity}`);
    }
  }
}
