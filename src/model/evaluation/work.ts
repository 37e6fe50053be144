import { findFork } from './passes.js';
import {
  linearsOf,
  listLinears,
  type BlockPlan,
  type FeedForwardPlan,
  type LinearPlan,
  type ModelPlan,
} from '../config/plan.js';
import { isRouter } from '../forward/block.js';
import type { Variant } from './types.js';

/** Multiplications and additions of a linear map for one row. */
function linearFlops({ outputs, inputs }: LinearPlan): number {
  return 2 * outputs * inputs;
}

/** Multiplications and additions of the linear maps of a block that all rows pass through, for one row. */
export function countSharedFlops(block: BlockPlan): number {
  return listLinears(block).reduce((sum, linear) => sum + linearFlops(linear), 0);
}

/** Multiplications and additions of an expert for one row that goes to it. */
export function countExpertFlops(expert: FeedForwardPlan): number {
  return linearsOf(expert).reduce((sum, linear) => sum + linearFlops(linear), 0);
}

/** Multiplications and additions of a block's linear maps for one row, which passes through a few experts. */
function countBlockFlops(block: BlockPlan): number {
  const { feedForward } = block;
  if (!isRouter(feedForward)) return countSharedFlops(block);
  const { experts, expertsPerRow } = feedForward;
  return countSharedFlops(block) + expertsPerRow * countExpertFlops(experts[0]);
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
