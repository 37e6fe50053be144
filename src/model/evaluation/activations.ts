import type { ActivationFormat } from '../../formats/activations.js';
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
  return change ? `${change.format.id} ${change.range ?? ''}` : '';
}

function roundingOf({ format, range }: ActivationChange): PlacedRounding {
  const { levels, scaling } = format.entry;
  return scaling === 'token' ? { levels } : { levels, scale: scaleOfRange(range!, levels) };
}

/** What a variant does to the inputs of a linear map. */
export function inputRounding(
  { weight }: LinearPlan,
  variant: Variant | undefined,
): PlacedRounding | undefined {
  const change = variant?.activations?.get(weight);
  return change && roundingOf(change);
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
  const weights = new Set(linears.map(({ weight }) => weight));
  for (const [name, { format, range }] of activations) {
    const fail = (detail: string): never => {
      throw new Error(`${visible(id)}: activations of "${visible(name)}", ${detail}`);
    };
    if (!weights.has(name)) fail('which is no linear map of a block');
    if (format.entry.scaling === 'token') continue;
    if (range === undefined) fail(`for which ${format.id} needs a range from calibration`);
    else if (!Number.isFinite(range) || range < 0) fail(`whose range is ${range}`);
  }
}
