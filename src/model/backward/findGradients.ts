import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import type { TensorChange } from '../evaluation/types.js';
import { CalibrationWalk } from '../calibration/calibrationWalk.js';
import type { WalkRequest } from '../calibration/types.js';
import { gradientScratchBytes } from './backwardPass.js';
import { placeModel } from './placeModel.js';
import { refuseGradients } from './plan.js';
import type { BackwardApi } from './tasks.js';

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
