import type { GpuMemory } from '../../../compute/webgpu/gpuMemory.js';
import type { Scratch } from '../scratch.js';

/** Memory of a device for one task; every piece is an allocation of its own. */
export class DeviceScratch implements Scratch {
  private taken: number[] = [];

  constructor(private readonly memory: GpuMemory) {}

  take(bytes: number): number {
    const at = this.memory.allocate(bytes);
    this.taken.push(at);
    return at;
  }

  floats(count: number): number {
    return this.take(count * 4);
  }

  free(): void {
    this.freeFrom(0);
  }

  borrow<Result>(use: () => Result): Result {
    const { length } = this.taken;
    try {
      return use();
    } finally {
      this.freeFrom(length);
    }
  }

  private freeFrom(first: number): void {
    for (const at of this.taken.splice(first)) this.memory.release(at);
  }
}
