import type { CalibrationWalk } from '../calibration/calibrationWalk.js';
import type { WalkRequest } from '../calibration/types.js';
import type { LinearPlan, NormPlan } from '../config/plan.js';
import type { TensorChange } from '../evaluation/types.js';
import { withoutRouter } from '../forward/block.js';
import { gradedLinears } from './plan.js';
import type { GradedBlock, GradedLinear, GradedModel, GradedNorm } from './tasks.js';

/** A whole model in memory. */
export interface PlacedModel {
  readonly placed: GradedModel;
  /** Where the gradients of maps that have one lie among the bytes of all. */
  readonly offsets: ReadonlyMap<LinearPlan, number>;
  readonly bytes: number;
}

/** Brings a whole model into memory, and embeds the windows of a walk that has not begun; gradients are those of the tensors asked for. */
export async function placeModel(
  walk: CalibrationWalk<WalkRequest>,
  {
    pool,
    model,
    base,
    tensors,
  }: WalkRequest & { readonly base?: ReadonlyMap<string, TensorChange> },
): Promise<PlacedModel> {
  const { plan } = model;
  const { hiddenSize } = plan;
  const changeOf = (name: string) => base?.get(name);
  const offsets = new Map<LinearPlan, number>();
  let bytes = 0;
  const placeLinear = async (linear: LinearPlan): Promise<GradedLinear> => {
    const { weight, outputs, inputs } = linear;
    const weights = pool.reserve(outputs * inputs * 4).start;
    await walk.weights.loadRows([{ linear, at: weights, change: changeOf(weight) }]);
    if (linear === plan.head || !tensors.has(weight)) return { weights, outputs, inputs };
    const gradient = bytes;
    offsets.set(linear, gradient);
    bytes += outputs * inputs * 4;
    return { weights, gradient, outputs, inputs };
  };
  const placeNorm = async ({ weight, weightOffset, epsilon }: NormPlan): Promise<GradedNorm> => {
    const at = pool.reserve((hiddenSize + 16) * 4).start;
    await walk.weights.loadVectors([{ name: weight!, at, change: changeOf(weight!) }]);
    return { weight: at, weightOffset, epsilon };
  };
  const blocks: GradedBlock[] = [];
  // The walk embeds the windows; that is as far as they go with it.
  await walk.run(async ({ plan: block }) => {
    const byPlan = new Map<LinearPlan, GradedLinear>();
    for (const linear of gradedLinears(block)) byPlan.set(linear, await placeLinear(linear));
    const of = (linear: LinearPlan) => byPlan.get(linear)!;
    const { attention } = block;
    const feedForward = withoutRouter(block);
    blocks.push({
      attentionNorm: await placeNorm(block.attentionNorms.before!),
      attention: {
        ...attention,
        ...{ queryNorm: undefined, keyNorm: undefined },
        projections: attention.projections.map(of),
        output: of(attention.output),
      },
      feedForwardNorm: await placeNorm(block.feedForwardNorms.before!),
      feedForward: {
        ...feedForward,
        projections: feedForward.projections.map(of),
        down: of(feedForward.down),
      },
    });
  });
  const placed = {
    ...{ hiddenSize, blocks },
    finalNorm: await placeNorm(plan.finalNorm!),
    head: await placeLinear(plan.head),
  };
  return { placed, offsets, bytes };
}
