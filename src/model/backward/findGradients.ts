import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import type { LinearPlan, NormPlan } from '../config/plan.js';
import type { TensorChange } from '../evaluation/types.js';
import { withoutRouter } from '../forward/block.js';
import { CalibrationWalk } from '../calibration/calibrationWalk.js';
import type { WalkRequest } from '../calibration/types.js';
import { gradientScratchBytes } from './backwardPass.js';
import { gradedLinears, refuseGradients } from './plan.js';
import type { BackwardApi, GradedBlock, GradedLinear, GradedModel, GradedNorm } from './tasks.js';

/** Windows that are taken back at once, and sums that are kept for that; results depend on it, not on threads. */
const LANES = 4;
/** Weights from which on there are two of them. */
const MANY_WEIGHTS = 32_000_000;

export interface GradientRequest extends WalkRequest {
  /** What earlier steps have made of the model, by tensor. */
  readonly base?: ReadonlyMap<string, TensorChange>;
}

export interface Gradients {
  /** Of the mean loss: f32 [outputs × inputs], by the name of the weights' tensor. */
  readonly ofWeights: ReadonlyMap<string, Float32Array>;
  /** Mean −log p(token | tokens before it), in nats. */
  readonly loss: number;
}

/**
 * Gradients of the mean negative log-likelihood of windows by the weights of linear maps of blocks, for the maps whose
 * tensors are asked for. The whole model lies in memory.
 * @throws an Error of one sentence where the model's gradients cannot be had; an AbortError when cancelled
 */
export async function findGradients(
  request: GradientRequest,
  options: CallOptions = {},
): Promise<Gradients> {
  const { pool, model, windows, tensors } = request;
  const { signal, onProgress } = options;
  const refusal = refuseGradients(model.plan);
  if (refusal) throw new Error(refusal);
  const walk = new CalibrationWalk(request, { signal }, 'none');
  const { placed, offsets, bytes } = await placeModel(walk, request);
  const lanes = Math.min(bytes > 4 * MANY_WEIGHTS ? 2 : LANES, windows.length);
  const sums = Array.from({ length: lanes }, () => pool.reserve(bytes).start);
  for (const at of sums) new Float32Array(pool.memory.buffer, at, bytes / 4).fill(0);
  const predicted = windows.reduce((sum, { length }) => sum + length - 1, 0);
  const tasks = pool.tasks<BackwardApi>();
  let loss = 0;
  for (let first = 0; first < windows.length; first += lanes) {
    throwIfCancelled(signal);
    onProgress?.({ done: first, total: windows.length, message: `gradients, window ${first + 1}` });
    const together = walk.windows.slice(first, first + lanes).map((window, lane) => ({
      model: placed,
      embedded: { at: window.hidden, stride: model.plan.hiddenSize },
      rows: window.rows,
      rotary: window.rotary,
      localRotary: window.localRotary,
      ids: windows[window.index],
      factor: 1 / predicted,
      gradients: sums[lane],
      scratchBytes: gradientScratchBytes(placed, window.rows),
    }));
    await tasks.run('addWindowGradient', together, (sum) => void (loss += sum), signal);
  }
  const [target, ...others] = sums;
  for (const source of others) {
    const add = [{ source, target, count: bytes / 4, scratchBytes: 0 }];
    await tasks.run('addGradients', add, () => undefined, signal);
  }
  onProgress?.({ done: windows.length, total: windows.length });
  const ofWeights = new Map<string, Float32Array>();
  for (const [{ weight, outputs, inputs }, offset] of offsets) {
    if (!tensors.has(weight)) continue;
    const values = new Float32Array(pool.memory.buffer, target + offset, outputs * inputs);
    ofWeights.set(weight, values.slice());
  }
  return { ofWeights, loss: loss / predicted };
}

/** Brings a whole model into memory. @returns also where gradients lie among the bytes of all */
async function placeModel(
  walk: CalibrationWalk<GradientRequest>,
  { pool, model, base, tensors }: GradientRequest,
): Promise<{
  readonly placed: GradedModel;
  readonly offsets: ReadonlyMap<LinearPlan, number>;
  readonly bytes: number;
}> {
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
