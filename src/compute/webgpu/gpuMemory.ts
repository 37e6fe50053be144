import type { Gpu, GpuView } from '../../kernels/webgpu/gpu.js';

/** Allocations begin at multiples of this: no address belongs to two of them. */
export const SLOT_BYTES = 2 ** 33;
/** Slots below are those of {@link GpuMemory.reserve}, whose addresses the other side chooses. */
const FIRST_OWN_SLOT = 2 ** 19;

/** How a view is used: what is written comes back to where it lies. */
type Use = 'read' | 'write';

/** A part of the memory that a command may use, until {@link Borrowed.end}. */
export interface Borrowed {
  readonly view: GpuView;
  end(): void;
}

/** Buffers that hold one allocation. All but the last are full. */
interface Allocation {
  readonly pieces: readonly GpuView[];
  readonly pieceBytes: number;
}

/**
 * The memory of one job on a device, as addresses: what tasks name in place of buffers. An allocation that is
 * larger than a buffer may be lies in several.
 */
export class GpuMemory {
  private readonly allocations = new Map<number, Allocation>();
  private nextSlot = FIRST_OWN_SLOT;

  constructor(readonly gpu: Gpu) {}

  /** Makes memory at an address that is a multiple of {@link SLOT_BYTES}. */
  reserve(start: number, bytes: number): void {
    this.put(start / SLOT_BYTES, bytes);
  }

  /** Memory until {@link release}. @returns its address */
  allocate(bytes: number): number {
    const slot = this.nextSlot++;
    this.put(slot, bytes);
    return slot * SLOT_BYTES;
  }

  release(at: number): void {
    const slot = Math.floor(at / SLOT_BYTES);
    this.gpu.release(...this.allocations.get(slot)!.pieces);
    this.allocations.delete(slot);
  }

  /** Gives all of it back. */
  end(): void {
    for (const { pieces } of this.allocations.values()) this.gpu.release(...pieces);
    this.allocations.clear();
  }

  /** Bytes from an address on, in one buffer: themselves, or a copy where they lie in several. */
  borrow(at: number, bytes: number, use: Use): Borrowed {
    const parts = this.partsOf(at, bytes);
    if (parts.length === 1) return { view: parts[0], end: () => undefined };
    const view = this.gpu.acquire(bytes);
    const places = parts.map((part, index) => {
      const before = parts.slice(0, index).reduce((sum, each) => sum + each.bytes, 0);
      return { part, copy: { ...view, offset: before, bytes: part.bytes } };
    });
    for (const { part, copy } of places) this.gpu.copy(part, copy);
    return {
      view,
      end: () => {
        if (use === 'write') for (const { part, copy } of places) this.gpu.copy(copy, part);
        this.gpu.release(view);
      },
    };
  }

  /** Where bytes lie, in order. @throws where they are in no allocation */
  partsOf(at: number, bytes: number): readonly GpuView[] {
    const slot = Math.floor(at / SLOT_BYTES);
    const allocation = this.allocations.get(slot);
    const start = at - slot * SLOT_BYTES;
    const { pieces = [], pieceBytes = 1 } = allocation ?? {};
    const parts: GpuView[] = [];
    for (let done = 0; done < bytes;) {
      const index = Math.floor((start + done) / pieceBytes);
      const piece = pieces.at(index);
      const offset = start + done - index * pieceBytes;
      const count = Math.min(bytes - done, (piece?.bytes ?? 0) - offset);
      if (!piece || count <= 0)
        throw new Error(`No memory of the GPU lies at ${at} (${bytes} bytes)`);
      parts.push({ buffer: piece.buffer, offset: piece.offset + offset, bytes: count });
      done += count;
    }
    return parts;
  }

  private put(slot: number, bytes: number): void {
    const pieceBytes = Math.floor(this.gpu.limits.bufferBytes / 256) * 256;
    const pieces: GpuView[] = [];
    const whole = Math.max(4, Math.ceil(bytes / 4) * 4);
    for (let done = 0; done < whole; done += pieceBytes) {
      pieces.push(this.gpu.acquire(Math.min(pieceBytes, whole - done)));
    }
    this.allocations.set(slot, { pieces, pieceBytes });
  }
}
