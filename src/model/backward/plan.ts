import type { BlockPlan, LinearPlan, ModelPlan, NormPlan } from '../config/plan.js';
import { isRouter } from '../forward/block.js';

/** Weights of linear maps whose gradients fit the memory that threads share. */
const MOST_WEIGHTS = 128_000_000;

/** Linear maps of a block, in the order of the computation. @throws where there is a router */
export function gradedLinears({ attention, feedForward }: BlockPlan): readonly LinearPlan[] {
  if (isRouter(feedForward)) throw new Error('Experts have no gradients');
  return [...attention.projections, attention.output, ...feedForward.projections, feedForward.down];
}

/**
 * Why no gradients of a model can be had, in one sentence; undefined where they can: of blocks as Llama's, with RMS norms
 * before attention and before a feed-forward part gated by silu, without biases, caps and norms elsewhere.
 */
export function refuseGradients(plan: ModelPlan): string | undefined {
  const reason = plan.blocks.map(lackingOfBlock).find((each) => each) ?? lackingOfEnds(plan);
  if (reason) return `Gradients are not known of models with ${reason}`;
  const weights = plan.blocks
    .flatMap(gradedLinears)
    .reduce((sum, { outputs, inputs }) => sum + outputs * inputs, 0);
  if (weights <= MOST_WEIGHTS) return undefined;
  const million = (count: number) => Math.round(count / 1e6).toLocaleString('en-US');
  return `Gradients are kept in memory for at most ${million(MOST_WEIGHTS)} million weights, and this model’s blocks have ${million(weights)} million`;
}

function isPlainNorm(norm: NormPlan | undefined): boolean {
  return norm?.kind === 'rms' && norm.weight !== undefined && norm.bias === undefined;
}

function lackingOfBlock(block: BlockPlan): string | undefined {
  const { attention, feedForward, attentionNorms, feedForwardNorms } = block;
  if (isRouter(feedForward)) return 'experts';
  if (feedForward.activation !== 'silu' || feedForward.up === undefined) {
    return 'feed-forward parts other than those gated by silu';
  }
  if (block.parallel) return 'attention beside the feed-forward part';
  const norms = [attentionNorms, feedForwardNorms];
  if (!norms.every(({ before, after, ofSum }) => isPlainNorm(before) && !after && !ofSum)) {
    return 'norms other than RMS norms before each half of a block';
  }
  if (attention.queryNorm ?? attention.keyNorm) return 'norms of queries and keys';
  if (attention.softCap !== 0) return 'capped scores of attention';
  if (block.branchScale !== undefined && block.branchScale !== 1) return 'scaled branches';
  return gradedLinears(block).some(({ bias }) => bias !== undefined) ? 'biases' : undefined;
}

function lackingOfEnds({ head, finalNorm, outputProjection, ...plan }: ModelPlan) {
  if (!isPlainNorm(finalNorm)) return 'a last norm other than an RMS norm';
  if (head.bias !== undefined || outputProjection)
    return 'a bias or a projection before the output';
  if (plan.logitSoftCap !== 0 || (plan.logitScale ?? 1) !== 1) return 'capped or scaled logits';
  return undefined;
}
