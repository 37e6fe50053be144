import type { CallOptions } from '../../rpc/rpc.js';
import { visible } from '../../storage/errors.js';
import { observeInputs } from '../evaluation/evaluate.js';
import type { EvaluationRequest, Variant } from '../evaluation/types.js';

/** A model, and the windows that it is calibrated on. */
export interface InputRangesRequest extends Pick<
  EvaluationRequest,
  'pool' | 'model' | 'windows' | 'settings'
> {
  /** Whose inputs are meant; absent: the model's as it is stored. */
  readonly variant?: Variant;
}

/**
 * The largest magnitude in the inputs of each linear map of a model's blocks while windows pass through it: what static scales of activations are made from. One walk for all maps.
 * @returns by the name of the weights' tensor; experts, which see some rows only, have none
 * @throws naming the tensor where an input is not finite
 */
export async function findInputRanges(
  { pool, model, windows, settings, variant }: InputRangesRequest,
  options: CallOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const blocks = model.plan.blocks.length;
  const ranges = new Map<string, number>();
  const observer = {
    variant: variant?.id,
    wants: (_: unknown, block: number) => block >= 0 && block < blocks,
    observe({ linears, values }: { linears: readonly { weight: string }[]; values: Float32Array }) {
      const range = findRange(values);
      const [{ weight: first }] = linears;
      if (!Number.isFinite(range)) throw new Error(`Inputs of "${visible(first)}" are not finite`);
      for (const { weight } of linears) {
        ranges.set(weight, Math.max(range, ranges.get(weight) ?? 0));
      }
    },
  };
  const variants = variant ? [variant] : [];
  const request = { pool, model, windows, variants, settings: { ...settings, observer } };
  await observeInputs(request, options);
  return ranges;
}

/** The largest magnitude; not finite where a value is not. */
function findRange(values: Float32Array): number {
  let range = 0;
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i]);
    // Written so that NaN is taken, and stays.
    if (!(magnitude <= range)) range = magnitude;
    if (range === Infinity || Number.isNaN(range)) break;
  }
  return range;
}
