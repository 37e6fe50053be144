import type { MemoryRegion } from '../kernels/workspace.js';
import type { SharedRegions } from './sharedRegions.js';

/** An ordinary chunk's output, 2 MB of F32 and what kernels write beyond it, fits. */
const MIN_BYTES = (2 << 20) + 65536;
/** Bytes of slots that one job may hold before it has to wait; a single larger slot it may. */
const JOB_BYTES = 48 << 20;

/**
 * Parts of the shared memory that workers write a chunk's output to and the host reads it from. The
 * pool keeps them for later jobs: shared memory cannot be given back.
 */
export class OutputSlots {
  private readonly free: MemoryRegion[] = [];

  constructor(private readonly regions: Pick<SharedRegions, 'reserve'>) {}

  /** The smallest free slot of at least so many bytes, else a new one. */
  take(bytes: number): MemoryRegion {
    let best = -1;
    this.free.forEach((slot, index) => {
      if (slot.bytes < bytes || (best >= 0 && this.free[best].bytes <= slot.bytes)) return;
      best = index;
    });
    if (best >= 0) return this.free.splice(best, 1)[0];
    return this.regions.reserve(slotBytes(bytes));
  }

  /** Gives a slot back, which nobody may read or write any more. */
  give(slot: MemoryRegion): void {
    this.free.push(slot);
  }
}

/** Large slots are powers of two, so that chunks of many sizes do not each leave slots behind. */
function slotBytes(bytes: number): number {
  return bytes <= MIN_BYTES ? MIN_BYTES : 2 ** Math.ceil(Math.log2(bytes));
}

/** The slots that one job's tasks hold, by the index of the task. */
export class JobOutputs {
  private readonly held = new Map<number, MemoryRegion>();
  private heldBytes = 0;

  /** @param most slots held at once */
  constructor(
    private readonly slots: OutputSlots,
    private readonly most: number,
  ) {}

  /**
   * Reserves a slot for a task.
   * @param bytes undefined for tasks without output
   * @returns false where the job holds so much that it has to wait for a release
   */
  reserve(index: number, bytes: number | undefined): boolean {
    if (bytes === undefined) return true;
    const { size } = this.held;
    if (size >= this.most || (size > 0 && this.heldBytes + bytes > JOB_BYTES)) return false;
    const slot = this.slots.take(bytes);
    this.held.set(index, slot);
    this.heldBytes += slot.bytes;
    return true;
  }

  of(index: number): MemoryRegion | undefined {
    return this.held.get(index);
  }

  /** Once the worker is done with a task and its result is delivered or not wanted any more. */
  release(index: number): void {
    const slot = this.held.get(index);
    if (!slot) return;
    this.held.delete(index);
    this.heldBytes -= slot.bytes;
    this.slots.give(slot);
  }
}
