import type { CheckpointProblem, ModelTensor } from '../../checkpoint/types.js';
import { quoted, visible } from '../../storage/errors.js';
import { forEachInSteps, type Steps } from '../../storage/slices.js';
import { ARCHITECTURES, findArchitecture } from './architectures/index.js';
import type { Architecture } from './architectures/shared.js';

/** Which way round a model's linear weights are stored. */
export interface Orientation {
  /** True for weights of [inputs × outputs]. */
  isTransposed(tensor: Shaped): boolean;
  /** What is not certain of it, or not as the configuration would have it. */
  readonly note?: CheckpointProblem;
}

type Shaped = Pick<ModelTensor, 'file' | 'name' | 'shape'>;

/** All weights are [outputs × inputs]. */
export const AS_USUAL: Orientation = { isTransposed: () => false };

/**
 * Finds out, in steps, which weights are stored as [inputs × outputs]. The architecture says by which names to know
 * them; their shapes must agree, since other programs write the same names the usual way round, and files
 * come without a configuration.
 * @param modelType of `config.json`; undefined where there is none to be read
 */
export function* findOrientation(
  modelType: unknown,
  tensors: readonly Shaped[],
): Steps<Orientation> {
  const known = findArchitecture(modelType);
  if (known) return known.transposedWeights ? yield* orient(known, tensors, true) : AS_USUAL;
  for (const architecture of ARCHITECTURES) {
    if (architecture.transposedWeights) {
      const orientation = yield* orient(architecture, tensors, false);
      if (orientation !== AS_USUAL) return orientation;
    }
  }
  return AS_USUAL;
}

/** @param stated whether the configuration names the architecture */
function* orient(
  { modelType, transposedWeights }: Architecture,
  tensors: readonly Shaped[],
  stated: boolean,
): Steps<Orientation> {
  const names = transposedWeights!;
  const isTransposed = ({ name, shape }: Shaped) => shape.length === 2 && names.has(name);
  const votes = new Set<boolean | undefined>();
  let first: Shaped | undefined;
  yield* forEachInSteps(tensors, (tensor) => {
    if (!isTransposed(tensor)) return;
    first ??= tensor;
    votes.add(looksTransposed(tensor, names));
  });
  if (!first) return AS_USUAL;
  const agreed = votes.has(true) !== votes.has(false);
  const { file, name } = first;
  const which = `${visible(file)}: ${quoted(name)} and the other weights of its kind are taken as`;
  if (agreed && votes.has(false)) {
    if (!stated) return AS_USUAL;
    const usual = `[inputs × outputs], as ${modelType} has them`;
    const message = `${which} [outputs × inputs], by their shapes, not as ${usual}`;
    return { ...AS_USUAL, note: { file, message } };
  }
  if (stated) return { isTransposed };
  const reason = agreed ? 'by their names and shapes' : 'by their names alone';
  const message = `${which} [inputs × outputs], as ${modelType} has them, ${reason}: no configuration says so`;
  return { isTransposed, note: { file, message } };
}

/** What a weight's shape says; undefined where it says nothing. */
function looksTransposed(
  { name, shape: [rows, columns] }: Shaped,
  names: NonNullable<Architecture['transposedWeights']>,
): boolean | undefined {
  return rows === columns || !names.hasMoreOutputs(name) ? undefined : columns > rows;
}
