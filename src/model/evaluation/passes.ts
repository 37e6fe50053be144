import { tensorsBefore, tensorsOfBlock, type ModelPlan } from '../config/plan.js';
import type { Variant } from './types.js';

/** Where a variant first differs from the unquantized model. */
export const FORK = Object.freeze({ embedding: -1 });

/**
 * The first place where a variant differs: −1 the embedding, a block's index, or the number of
 * blocks for what follows them (or nothing at all).
 */
export function findFork({ changes, activations }: Variant, plan: ModelPlan): number {
  const isChanged = (name: string) => changes.has(name) || !!activations?.has(name);
  if (tensorsBefore(plan).some(isChanged)) return FORK.embedding;
  const block = plan.blocks.findIndex((each) => tensorsOfBlock(each).some(isChanged));
  return block < 0 ? plan.blocks.length : block;
}

/** A variant, and the block before which it gets hidden states of its own; see {@link findFork}. */
export interface ForkedVariant {
  readonly variant: Variant;
  readonly fork: number;
}

/** Work in one walk through the blocks: variants that fit into memory together. */
export interface Pass {
  readonly variants: readonly ForkedVariant[];
  /** Block at which the walk starts, −1 with the embedding. */
  readonly start: number;
  /** Block before which the unquantized state must be kept for the next pass. */
  readonly keepAt?: number;
}

/**
 * Cuts variants into passes, in the order of their forks, so that what they share with the
 * unquantized model is computed once.
 * @param perPass variants that fit into memory at once
 */
export function planPasses(variants: readonly ForkedVariant[], perPass: number): readonly Pass[] {
  const sorted = [...variants].sort((a, b) => a.fork - b.fork);
  const passes: Pass[] = [];
  for (let first = 0; first < Math.max(sorted.length, 1); first += perPass) {
    const members = sorted.slice(first, first + perPass);
    const next = sorted[first + perPass];
    passes.push({
      variants: members,
      start: first === 0 ? FORK.embedding : Math.max(members[0].fork, 0),
      keepAt: next && Math.max(next.fork, 0),
    });
  }
  return passes;
}

/** Windows that are evaluated together. */
export interface Batch {
  /** Indices into the list of windows. */
  readonly windows: readonly number[];
  readonly rows: number;
}

/** Cuts windows into batches of at most so many rows, at least one window each. */
export function planBatches(
  windows: readonly Int32Array[],
  indices: readonly number[],
  maxRows: number,
): Batch[] {
  const batches: { windows: number[]; rows: number }[] = [];
  for (const index of indices) {
    const { length } = windows[index];
    const last = batches[batches.length - 1];
    if (last && last.rows + length <= maxRows) {
      last.windows.push(index);
      last.rows += length;
    } else {
      batches.push({ windows: [index], rows: length });
    }
  }
  return batches;
}
