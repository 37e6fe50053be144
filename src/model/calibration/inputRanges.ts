import type { ActivationFormat } from '../../formats/activations.js';
import { scalesOfChannels } from '../../formats/preShifted.js';
import type { CallOptions } from '../../rpc/rpc.js';
import { visible } from '../../storage/errors.js';
import { observeInputs } from '../evaluation/evaluate.js';
import type { InputObserver } from '../evaluation/inputObserver.js';
import type { ActivationChange, EvaluationRequest, Variant } from '../evaluation/types.js';

/** A model, and the windows that it is calibrated on. */
export interface InputRangesRequest extends Pick<
  EvaluationRequest,
  'pool' | 'model' | 'windows' | 'settings'
> {
  /** Whose inputs are meant; absent: the model's as it is stored. */
  readonly variant?: Variant;
}

/**
 * The largest magnitude of each input of each linear map of a model's blocks while windows pass through it: what
 * static scales of activations are made from. One walk for all maps.
 * @returns f32 [inputs] by the name of the weights' tensor, shared by maps that take the same; experts, which see
 *   some rows only, have none
 * @throws naming the tensor where an input is not finite
 */
export async function findInputMagnitudes(
  { pool, model, windows, settings, variant }: InputRangesRequest,
  options: CallOptions = {},
): Promise<ReadonlyMap<string, Float32Array>> {
  const blocks = model.plan.blocks.length;
  const magnitudes = new Map<string, Float32Array>();
  const observer: InputObserver = {
    variant: variant?.id,
    wants: (_, block) => block >= 0 && block < blocks,
    observe({ linears, values, inputs }) {
      const [{ weight: first }] = linears;
      const known = magnitudes.get(first) ?? new Float32Array(inputs);
      if (!takeMagnitudes(known, values)) {
        throw new Error(`Inputs of "${visible(first)}" are not finite`);
      }
      for (const { weight } of linears) magnitudes.set(weight, known);
    },
  };
  const variants = variant ? [variant] : [];
  const request = { pool, model, windows, variants, settings: { ...settings, observer } };
  await observeInputs(request, options);
  return magnitudes;
}

/** The largest magnitude in all inputs of each linear map, see {@link findInputMagnitudes}. */
export async function findInputRanges(
  request: InputRangesRequest,
  options: CallOptions = {},
): Promise<ReadonlyMap<string, number>> {
  const magnitudes = await findInputMagnitudes(request, options);
  const range = (most: number, each: number) => Math.max(most, each);
  return new Map([...magnitudes].map(([name, each]) => [name, each.reduce(range, 0)]));
}

/**
 * A format with static scales, from the largest magnitude of each input.
 * @param magnitudes absent: whoever evaluates says what lacks them
 */
export function staticActivations(
  format: ActivationFormat,
  magnitudes: Float32Array | undefined,
): ActivationChange {
  if (!magnitudes) return { format };
  const { entry } = format;
  return entry.scaling === 'shifted'
    ? { format, fixed: { levels: entry.levels, scale: scalesOfChannels(entry, magnitudes) } }
    : { format, range: magnitudes.reduce((most, each) => Math.max(most, each), 0) };
}

/** Takes rows into the magnitudes of their columns. @returns whether all values are finite */
function takeMagnitudes(magnitudes: Float32Array, rows: Float32Array): boolean {
  const columns = magnitudes.length;
  for (let start = 0; start < rows.length; start += columns) {
    for (let i = 0; i < columns; i++) {
      const magnitude = Math.abs(rows[start + i]);
      if (magnitude > magnitudes[i]) magnitudes[i] = magnitude;
      else if (Number.isNaN(magnitude)) return false;
    }
  }
  return magnitudes.every(Number.isFinite);
}
