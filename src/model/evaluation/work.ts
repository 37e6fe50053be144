import { forkOf } from './passes.js';
import { linearsOf, type BlockPlan, type LinearPlan, type ModelPlan } from '../config/plan.js';
import type { Variant } from './types.js';

/** Multiplications and additions of a linear map for one row. */
function linearFlops({ outputs, inputs }: LinearPlan): number {
  return 2 * outputs * inputs;
}

/** Multiplications and additions of a block's linear maps for one row. */
export function blockFlops(block: BlockPlan): number {
  return linearsOf(block).reduce((sum, linear) => sum + linearFlops(linear), 0);
}

/** The same of the head. */
export function headFlops({ head }: ModelPlan): number {
  return linearFlops(head);
}

/** Of a walk for one row that starts at a block, −1 meaning the embedding, and ends with the head. */
export function flopsFrom(block: number, plan: ModelPlan): number {
  const blocks = plan.blocks.slice(Math.max(block, 0));
  return blocks.reduce((sum, each) => sum + blockFlops(each), headFlops(plan));
}

/** Of a variant for one row: from where it differs from the unquantized model. */
export function variantFlops(variant: Variant, plan: ModelPlan): number {
  return flopsFrom(forkOf(variant, plan), plan);
}
