import type { ActivationFormat, FixedRounding } from '../../formats/activations.js';
import { scaleOfRange } from '../../kernels/forwardKernels.js';
import { visible } from '../../storage/errors.js';
import {
  expertsOf,
  linearsOf,
  listLinears,
  type LinearPlan,
  type ModelPlan,
} from '../config/plan.js';
import type { PlacedRounding } from '../forward/tasks.js';
import type { ChannelScalePlaces } from './channelScales.js';
import type { ActivationChange, Variant } from './types.js';

/** Inputs of linear maps in a format whose scales come from the inputs themselves. */
export function inActivationFormat(
  format: ActivationFormat,
  weights: readonly string[],
): ReadonlyMap<string, ActivationChange> {
  return new Map(weights.map((name) => [name, { format }]));
}

/** Tells apart what is done to inputs; '' for nothing. */
export function activationKey(change: ActivationChange | undefined): string {
  if (!change) return '';
  const { format, range = '', fixed } = change;
  return `${format.id} ${range} ${fixed ? fixedKey(fixed) : ''}`;
}

/** The same for roundings that are the same. */
export function fixedKey({ levels, scale }: FixedRounding): string {
  return `${JSON.stringify(levels)} ${scale.toString()}`;
}

function roundingOf(
  { format, range, fixed }: ActivationChange,
  places?: ChannelScalePlaces,
): PlacedRounding {
  if (fixed) {
    const { levels, scale } = fixed;
    if (typeof scale === 'number') return { levels, scale };
    const channelScales = places?.get(scale);
    if (channelScales === undefined) throw new Error('Scales of inputs are not in memory');
    return { levels, channelScales };
  }
  const { levels, scaling } = format.entry;
  return scaling === 'token' ? { levels } : { levels, scale: scaleOfRange(range!, levels) };
}

/**
 * What a variant does to the inputs of a linear map.
 * @param places of scales that it has for single inputs
 */
export function inputRounding(
  { weight }: LinearPlan,
  variant: Variant | undefined,
  places?: ChannelScalePlaces,
): PlacedRounding | undefined {
  const change = variant?.activations?.get(weight);
  return change && roundingOf(change, places);
}

/** What a variant does to queries, keys or values that come out of a linear map. */
export function outputRounding(
  { weight }: LinearPlan,
  variant: Variant | undefined,
): PlacedRounding | undefined {
  const change = variant?.activations?.get(weight);
  return change?.format.roundsQueriesKeysValues ? roundingOf(change) : undefined;
}

/** @throws where activations belong to no linear map of a block, or a static format lacks its range */
export function checkActivations({ id, activations }: Variant, plan: ModelPlan): void {
  if (!activations || activations.size === 0) return;
  const linears = plan.blocks.flatMap((block) => [
    ...listLinears(block),
    ...expertsOf(block).flatMap(linearsOf),
  ]);
  const inputsOf = new Map(linears.map(({ weight, inputs }) => [weight, inputs]));
  for (const [name, { format, range, fixed }] of activations) {
    const fail = (detail: string): never => {
      throw new Error(`${visible(id)}: activations of "${visible(name)}", ${detail}`);
    };
    const inputs = inputsOf.get(name);
    if (inputs === undefined) fail('which is no linear map of a block');
    if (format.entry.scaling === 'token') continue;
    if (fixed) {
      const scales = typeof fixed.scale === 'number' ? [fixed.scale] : fixed.scale;
      if (scales.length !== 1 && scales.length !== inputs) {
        fail(`which has ${inputs} inputs, not the ${scales.length} that have a scale`);
      }
      const wrong = scales.find((scale) => !Number.isFinite(scale) || scale < 0);
      if (wrong !== undefined) fail(`whose scale is ${wrong}`);
      continue;
    }
    if (format.entry.scaling === 'shifted')
      fail(`for which ${format.id} needs scales from calibration`);
    if (range === undefined) fail(`for which ${format.id} needs a range from calibration`);
    else if (!Number.isFinite(range) || range < 0) fail(`whose range is ${range}`);
  }
}
