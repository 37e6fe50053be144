import type { PlacedAsymmetries } from '../../compute/tasks.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import type { GroupAsymmetries } from '../../kernels/statistics/asymmetry.js';

/** Puts the asymmetries of a tensor's spans together. */
export class GatheredAsymmetries {
  private readonly values: Float32Array;
  private count = 0;
  private sum = 0;

  /**
   * @param groupSize columns per group
   * @param groups number of groups of the tensor
   */
  constructor(
    private readonly pool: WorkerPool,
    readonly groupSize: number,
    groups: number,
  ) {
    this.values = new Float32Array(groups);
  }

  /** Copies what a worker wrote to the shared memory. */
  add(part: PlacedAsymmetries | undefined): void {
    if (!part) return;
    const values = new Float32Array(this.pool.memory.buffer, part.at, part.count);
    this.values.set(values, this.count);
    this.count += part.count;
    this.sum += part.sum;
  }

  all(): GroupAsymmetries {
    const { values, count, sum } = this;
    return { values: count === values.length ? values : values.subarray(0, count), sum };
  }
}
