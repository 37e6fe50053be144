import type { ModelPlan } from '../config/plan.js';
import { planBatches, planPasses, type Batch, type ForkedVariant, type Pass } from './passes.js';
import { countStateBytes } from './routedStates.js';
import { countFlopsFrom, countHeadFlops } from './work.js';

/** A batch has so many rows at least, which make the weights' way into memory a small part of it. */
const BATCH_ROWS = 2048;
/** Slots of hidden states beside those of a pass's variants where there are several passes. */
export const SLOT = Object.freeze({ base: 0, kept: 1, final: 2, first: 3 });

/** What is to be cut. */
export interface CuttingRequest {
  readonly plan: ModelPlan;
  readonly windows: readonly Int32Array[];
  /** Indices of the windows to evaluate. */
  readonly pending: readonly number[];
  readonly variants: readonly ForkedVariant[];
  /** Bytes for the hidden states in flight. */
  readonly memoryBudgetBytes: number;
  /** A batch ends after so much work. */
  readonly flopsPerBatch: number;
  /** One window at a time. */
  readonly singly: boolean;
  /** A batch that was begun elsewhere, which comes first where one pass is enough. */
  readonly begun?: Batch;
}

/** How an evaluation is cut. */
export interface Cutting {
  readonly batches: readonly Batch[];
  readonly passes: readonly Pass[];
  /** Positions of the longest window. */
  readonly longestWindow: number;
  /** Of the largest batch. */
  readonly maxRows: number;
  /** Hidden states of a batch that are in memory at once: the first of a pass's variants, and all. */
  readonly firstSlot: number;
  readonly slots: number;
  /** Models that go through a block together, at most. */
  readonly runners: number;
  /** Multiplications and additions of all passes for one row. */
  readonly flopsPerRow: number;
}

/** Cuts an evaluation into batches of windows and passes of variants that fit into memory. */
export function cut(request: CuttingRequest): Cutting {
  const { plan, windows, pending, variants, memoryBudgetBytes, begun } = request;
  const all = new Set([...(begun?.windows ?? []), ...pending]);
  const longestWindow = Math.max(...[...all].map((index) => windows[index].length));
  const budgetRows = Math.floor(memoryBudgetBytes / countStateBytes(plan));
  const rowsOfAll = Math.floor(budgetRows / (variants.length + 1));
  const together = rowsOfAll >= longestWindow || variants.length === 0;
  const perPass = together
    ? Math.max(variants.length, 1)
    : Math.max(1, Math.floor(budgetRows / longestWindow) - SLOT.first);
  const passes = planPasses(variants, perPass);
  const own = variants.reduce((sum, { fork }) => sum + countFlopsFrom(fork, plan), 0);
  // Each pass scores the unquantized model again.
  const flopsPerRow = countFlopsFrom(0, plan) + (passes.length - 1) * countHeadFlops(plan) + own;
  const batchRows = request.singly
    ? 1
    : Math.min(
        together ? Math.max(rowsOfAll, longestWindow) : longestWindow,
        Math.max(BATCH_ROWS, Math.floor(request.flopsPerBatch / flopsPerRow)),
      );
  const several = passes.length > 1;
  const first = begun && !several ? [begun] : [];
  const rest = pending.filter((index) => !first.some((batch) => batch.windows.includes(index)));
  const batches = [...first, ...planBatches(windows, rest, batchRows)];
  const firstSlot = several ? SLOT.first : SLOT.base + 1;
  return {
    batches,
    passes,
    longestWindow,
    maxRows: Math.max(...batches.map(({ rows }) => rows)),
    firstSlot,
    slots: firstSlot + (several ? perPass : variants.length),
    runners: 1 + (several ? perPass : variants.length),
    flopsPerRow,
  };
}
