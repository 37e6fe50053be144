import { isRouter } from '../../model/forward/block.js';
import type { LinearPlan, ModelPlan } from '../../model/config/plan.js';
import type { Tie } from '../../reports/recommendation.js';

/** Weights of linear maps that runtimes join, by what joins them: of each block, and of each of its experts. */
function* tiedWeights({ blocks }: ModelPlan, ties: readonly Tie[]): Generator<readonly string[]> {
  const weightsOf = (linears: readonly LinearPlan[]) => linears.map(({ weight }) => weight);
  for (const { attention, feedForward } of blocks) {
    if (ties.includes('qkv')) yield weightsOf(attention.projections);
    if (!ties.includes('gate-up')) continue;
    const parts = isRouter(feedForward) ? feedForward.experts : [feedForward];
    for (const { projections } of parts) yield weightsOf(projections);
  }
}

/**
 * Tensors in groups that get one format each, in the order of their first ones.
 * @param names of the tensors that are quantized
 */
export function groupTensors(
  names: readonly string[],
  plan: ModelPlan,
  ties: readonly Tie[],
): readonly (readonly string[])[] {
  const groupOf = new Map(names.map((name) => [name, [name]]));
  for (const weights of tiedWeights(plan, ties)) {
    const tied = [...new Set(weights)].filter((name) => groupOf.has(name));
    // A tensor that holds several experts joins what each of them joins.
    const joined = [...new Set(tied.flatMap((name) => groupOf.get(name)!))];
    for (const name of joined) groupOf.set(name, joined);
  }
  return [...new Set(groupOf.values())];
}
