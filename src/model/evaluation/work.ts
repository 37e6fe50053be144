import { findFork } from './passes.js';
import { listLinears, type BlockPlan, type LinearPlan, type ModelPlan } from '../config/plan.js';
import type { Variant } from './types.js';

/** Multiplications and additions of a linear map for one row. */
function linearFlops({ outputs, inputs }: LinearPlan): number {
  return 2 * outputs * inputs;
}

/** Multiplications and additions of a block's linear maps for one row. */
export function countBlockFlops(block: BlockPlan): number {
  return listLinears(block).reduce((sum, linear) => sum + linearFlops(linear), 0);
}

/** The same of the head. */
export function countHeadFlops({ head }: ModelPlan): number {
  return linearFlops(head);
}

/** Of a walk for one row that starts at a block, −1 meaning the embedding, and ends with the head. */
export function countFlopsFrom(block: number, plan: ModelPlan): number {
  const blocks = plan.blocks.slice(Math.max(block, 0));
  return blocks.reduce((sum, each) => sum + countBlockFlops(each), countHeadFlops(plan));
}

/** Of a variant for one row: from where it differs from the unquantized model. */
export function countVariantFlops(variant: Variant, plan: ModelPlan): number {
  return countFlopsFrom(findFork(variant, plan), plan);
}
