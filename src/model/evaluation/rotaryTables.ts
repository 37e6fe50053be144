import type { TaskMachine } from '../../compute/taskMachine.js';
import type { ModelPlan, RotaryPlan } from '../config/plan.js';
import { computeRotaryTables, isLongWindow } from '../config/rotary.js';
import type { PlacedRotary } from '../forward/tasks.js';

/** Cosines and sines of a model's positions in memory, as far as windows ask for them. */
export class RotaryTables {
  private readonly tables = new Map<RotaryPlan, Map<boolean, PlacedRotary>>();

  /** @param longestWindow tokens */
  constructor(
    private readonly pool: TaskMachine,
    private readonly plan: ModelPlan,
    private readonly longestWindow: number,
  ) {}

  /** The tables for a window of so many positions. */
  of(windowLength: number): {
    readonly rotary?: PlacedRotary;
    readonly localRotary?: PlacedRotary;
  } {
    const { rotary, localRotary } = this.plan;
    return {
      rotary: rotary && this.tablesOf(rotary, windowLength),
      localRotary: localRotary && this.tablesOf(localRotary, windowLength),
    };
  }

  private tablesOf(rotary: RotaryPlan, windowLength: number): PlacedRotary {
    const long = isLongWindow(rotary, windowLength);
    let byLength = this.tables.get(rotary);
    if (!byLength) this.tables.set(rotary, (byLength = new Map<boolean, PlacedRotary>()));
    let placed = byLength.get(long);
    if (!placed) {
      const { cos, sin } = computeRotaryTables(rotary, this.longestWindow, windowLength);
      const { start } = this.pool.reserve(2 * cos.byteLength);
      const { dims, interleaved } = rotary;
      placed = { dims, interleaved, cos: start, sin: start + cos.byteLength };
      this.pool.write(placed.cos, cos);
      this.pool.write(placed.sin, sin);
      byLength.set(long, placed);
    }
    return placed;
  }
}
