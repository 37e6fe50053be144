import type { TaskMachine } from '../../compute/taskMachine.js';
import type { Batch } from './passes.js';

/** Hidden states of a batch between two blocks, away from the machine that computed them. */
export interface KeptStates {
  readonly batch: Batch;
  /** The block that comes next; the number of blocks: none does. */
  readonly block: number;
  /** f32 [rows × hidden size] of each model that has states of its own, by its id. */
  readonly states: ReadonlyMap<string, Float32Array>;
}

/** More would take memory that jobs are not given for this, and long to copy. */
const MAX_BYTES = 2 ** 28;
/** The time from one copy to the next, in times that a copy takes: it costs no more than a tenth. */
const SPACING = 10;

/**
 * Keeps the last hidden states of a batch, so that another machine can go on with them. They are read while
 * the next block runs, which waits for nothing.
 */
export class StateKeeper {
  private last: KeptStates | undefined;
  private batch: Batch | undefined;
  private isReading = false;
  private nextAt = 0;

  constructor(
    private readonly machine: Pick<TaskMachine, 'readFloats'>,
    private readonly hiddenSize: number,
    private readonly now: () => number = () => performance.now(),
  ) {}

  /** The last states that are here of the batch under way. */
  get kept(): KeptStates | undefined {
    return this.last;
  }

  /** A batch begins; what was kept of the one before is of no use any more. */
  begin(batch: Batch): void {
    this.batch = batch;
    this.last = undefined;
  }

  /**
   * Copies the states that enter a block, unless that would take more memory or time than it is worth.
   * @param models addresses of hidden states by the models' ids
   */
  keep(block: number, models: ReadonlyMap<string, number>): void {
    const floats = this.batch!.rows * this.hiddenSize;
    if (this.isReading || models.size * floats * 4 > MAX_BYTES || this.now() < this.nextAt) return;
    void this.read(block, models, floats);
  }

  private async read(
    block: number,
    models: ReadonlyMap<string, number>,
    floats: number,
  ): Promise<void> {
    const batch = this.batch!;
    const begin = this.now();
    this.isReading = true;
    try {
      const read = [...models].map(
        async ([id, at]) => [id, await this.machine.readFloats(at, floats)] as const,
      );
      const states = new Map(await Promise.all(read));
      if (this.batch === batch) this.last = { batch, block, states };
    } catch {
      // The walk hears of it; what was kept before is still good.
    } finally {
      this.isReading = false;
      this.nextAt = this.now() + SPACING * (this.now() - begin);
    }
  }
}
