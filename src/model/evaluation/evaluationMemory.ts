import type { TaskMachine } from '../../compute/taskMachine.js';
import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { layOutBlock } from './placement.js';
import { listLinears, type ModelPlan } from '../config/plan.js';
import { reserveExpertRegions, type ExpertRegions } from './expertRegions.js';
import { FixedTensors } from './fixedTensors.js';
import { RotaryTables } from './rotaryTables.js';
import type { Variant } from './types.js';
import type { WeightStore } from './weightStore.js';

/** Room for pieces of the head where blocks are small. */
const MIN_WEIGHT_BYTES = 32 << 20;
/** Above this, stored bytes are read again instead of kept: addresses end at 4 GiB. */
const MAX_CACHED_BYTES = 2 ** 30;

export interface EvaluationMemorySetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly variants: readonly Variant[];
  /** Tokens of the longest window. */
  readonly longestWindow: number;
  readonly weights: WeightStore;
}

/** What stays in memory from the first batch to the last, and the area that blocks take turns in. */
export class EvaluationMemory {
  /** The weights of the block at work that all rows need, or a piece of the head. */
  readonly weights: MemoryRegion;
  /** A block's bytes as stored, where variants need them several times. */
  readonly stored?: MemoryRegion;
  /** Of models with experts. */
  readonly experts?: ExpertRegions;
  /** What stays of the weights. */
  readonly fixed: FixedTensors;
  readonly rotary: RotaryTables;

  constructor({ pool, plan, variants, longestWindow, weights }: EvaluationMemorySetup) {
    this.rotary = new RotaryTables(pool, plan, longestWindow);
    const { blocks, hiddenSize, head } = plan;
    const blockBytes = blocks.map((block) => layOutBlock(block, 0, hiddenSize).bytes);
    // Ways in which the head is wanted: as stored, and each change that variants make to it.
    const heads = [undefined, ...variants.map(({ changes }) => changes.get(head.weight))];
    const distinct = new Set(heads.map((change) => weights.keys.of(change))).size;
    const headBytes = countPackedWeightBytes(head.outputs, head.inputs) * distinct;
    this.weights = pool.reserve(
      Math.max(...blockBytes, Math.min(headBytes, MIN_WEIGHT_BYTES * distinct)),
    );
    const storedBytes = blocks.map((block) =>
      listLinears(block).reduce((sum, linear) => sum + weights.countKeptBytes(linear), 0),
    );
    const largest = Math.max(...storedBytes);
    if (variants.length > 0 && largest <= MAX_CACHED_BYTES) this.stored = pool.reserve(largest);
    const maxStored = variants.length > 0 ? MAX_CACHED_BYTES : undefined;
    this.experts = reserveExpertRegions({ pool, plan, weights, maxStored });
    this.fixed = new FixedTensors({ pool, plan, variants, weights });
  }
}
