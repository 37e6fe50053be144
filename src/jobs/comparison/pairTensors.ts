import { shapeAsMatrix } from '../../checkpoint/matrixShape.js';
import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { canonicalName } from '../../model/config/tensorNames.js';
import { ELEMENT_TYPES, hasPlainNumbers } from '../../storage/elementTypes.js';
import { listQuoted } from '../../storage/errors.js';

/** A tensor and what another checkpoint has in its place. */
export interface TensorPair {
  readonly tensor: ModelTensor;
  /** Of the same shape as a matrix, whichever way round it is stored. */
  readonly other: ModelTensor;
}

/** The tensors that two checkpoints have in common. */
export interface PairedTensors {
  /** In the order of the first checkpoint. */
  readonly pairs: readonly TensorPair[];
  /** What one has and the other has not, or has in another shape; sentences. */
  readonly notes: readonly string[];
}

/**
 * Pairs tensors of two checkpoints by the names that the model's code has for them: wrappers ("module."), the place
 * of a language model among others and the model's own prefix do not count. Where such a name is not unique, the
 * whole name decides.
 * @param wanted tensors of `model`; what has no counterpart is noted
 * @param everything whether these are all of the model's: then tensors of `against` that are left over are noted too
 */
export function pairTensors(
  model: Pick<OpenedModel, 'tensors'>,
  against: Pick<OpenedModel, 'tensors' | 'undecodable'>,
  wanted: readonly ModelTensor[],
  everything: boolean,
): PairedTensors {
  const byName = new Map(against.tensors.map((tensor) => [tensor.name, tensor]));
  const mine = uniqueNames(model.tensors);
  const theirs = uniqueNames(against.tensors);
  const pairs: TensorPair[] = [];
  const missing: string[] = [];
  const undecodable: string[] = [];
  const misshapen: string[] = [];
  const unreadable: string[] = [];
  const used = new Set<ModelTensor>();
  for (const tensor of wanted) {
    const name = canonicalName(tensor.name);
    const other =
      byName.get(tensor.name) ?? (mine.get(name) === tensor ? theirs.get(name) : undefined);
    if (!other) {
      (against.undecodable.has(tensor.name) ? undecodable : missing).push(tensor.name);
      continue;
    }
    used.add(other);
    if (shapeAsMatrix(tensor).join() !== shapeAsMatrix(other).join()) misshapen.push(tensor.name);
    else if (!isComparable(tensor) || !isComparable(other)) unreadable.push(tensor.name);
    else if (tensor.elements > 0) pairs.push({ tensor, other });
  }
  const left = everything ? against.tensors.filter((tensor) => !used.has(tensor)) : [];
  return {
    pairs,
    notes: [
      ...note(missing, 'have no counterpart of that name in the other checkpoint'),
      ...note(undecodable, 'cannot be decoded in the other checkpoint'),
      ...note(misshapen, 'have another shape in the other checkpoint'),
      ...note(unreadable, 'are no plain floating-point numbers'),
      ...note(
        left.map(({ name }) => name),
        'are in the other checkpoint alone',
      ),
    ],
  };
}

/** Tensors by canonical name; undefined where several have it. */
function uniqueNames(
  tensors: readonly ModelTensor[],
): ReadonlyMap<string, ModelTensor | undefined> {
  const byName = new Map<string, ModelTensor | undefined>();
  for (const tensor of tensors) {
    const name = canonicalName(tensor.name);
    byName.set(name, byName.has(name) ? undefined : tensor);
  }
  return byName;
}

/** Whether differences of a tensor's numbers mean anything: parts of what cannot be decoded are no weights. */
function isComparable({ dtype, partOf }: ModelTensor): boolean {
  return !partOf && ELEMENT_TYPES[dtype].kind === 'float' && hasPlainNumbers(dtype);
}

function* note(names: readonly string[], what: string): Generator<string> {
  if (names.length > 0) yield `Not compared: ${listQuoted(names)}, which ${what}.`;
}
