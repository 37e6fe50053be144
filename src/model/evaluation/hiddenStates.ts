import type { TaskMachine } from '../../compute/taskMachine.js';
import type { StateWindow } from './blockRunner.js';
import { SLOT, type Cutting } from './cutting.js';
import type { Batch, Pass } from './passes.js';
import type { RotaryTables } from './rotaryTables.js';
import type { EvaluationSettings } from './types.js';
import type { Walk } from './walk.js';

export interface HiddenStatesSetup {
  readonly pool: TaskMachine;
  readonly hiddenSize: number;
  readonly windows: readonly Int32Array[];
  readonly cutting: Cutting;
  readonly rotary: RotaryTables;
}

/** Where the hidden states of a batch lie in a machine's memory. */
export class HiddenStates {
  /** Address of the first. */
  readonly start: number;
  private readonly rowBytes: number;
  private readonly slotBytes: number;

  constructor(private readonly setup: HiddenStatesSetup) {
    const { pool, hiddenSize, cutting } = setup;
    this.rowBytes = hiddenSize * 4;
    this.slotBytes = cutting.maxRows * this.rowBytes;
    this.start = pool.reserve(cutting.slots * this.slotBytes).start;
  }

  /** Address of the unquantized model's states that the next pass begins with. */
  get kept(): number {
    return this.slot(SLOT.kept);
  }

  /** Gives each model of a pass its place. */
  walk(batch: Batch, pass: Pass): Walk {
    const { passes, firstSlot } = this.setup.cutting;
    const base = { hidden: this.slot(SLOT.base) };
    return {
      batch,
      pass,
      isFirst: pass === passes[0],
      base,
      final: passes.length > 1 ? this.slot(SLOT.final) : base.hidden,
      members: pass.variants.map(({ variant, fork }, index) => ({
        variant,
        fork,
        hidden: this.slot(firstSlot + index),
      })),
    };
  }

  /** The windows of a batch whose states begin at an address. */
  windows(hidden: number, batch: Batch): StateWindow[] {
    const { windows, rotary } = this.setup;
    let row = 0;
    return batch.windows.map((index): StateWindow => {
      const rows = windows[index].length;
      const at = hidden + row * this.rowBytes;
      row += rows;
      return { index, hidden: at, rows, ...rotary.of(rows) };
    });
  }

  copy(from: number, to: number, { rows }: Batch): void {
    this.setup.pool.copy(from, to, rows * this.rowBytes);
  }

  /** Hands out the states that leave a block, window by window. */
  async report(
    block: number,
    hidden: number,
    batch: Batch,
    onHidden: NonNullable<EvaluationSettings['onHidden']>,
  ): Promise<void> {
    const { pool, windows, hiddenSize } = this.setup;
    let at = hidden;
    for (const window of batch.windows) {
      const values = windows[window].length * hiddenSize;
      onHidden(window, block, (await pool.readFloats(at, values)).slice());
      at += values * 4;
    }
  }

  private slot(index: number): number {
    return this.start + index * this.slotBytes;
  }
}
