import type { StoredTensor } from '../storage/container.js';
import { ELEMENT_TYPES, hasPlainNumbers } from '../storage/elementTypes.js';
import type { ExpertsOfModel, FusedExperts } from './experts.js';
import { findRole, type RoleOfTensor } from './tensorRoles.js';
import type { ModelTensor } from './types.js';

/** Why a tensor cannot be quantized at all; undefined where it can. */
function whyNotQuantizable({ dtype, elements, shape }: StoredTensor): string | undefined {
  const { kind } = ELEMENT_TYPES[dtype];
  if (!hasPlainNumbers(dtype)) return `element type ${dtype}`;
  if (kind !== 'float' && kind !== 'scale') return `integer type ${dtype}`;
  if (kind === 'scale') return `scales of another format (${dtype})`;
  if (elements === 0) return 'no elements';
  if (shape.length === 0) return 'a single number';
  if (shape.length < 2) return 'one-dimensional';
  return undefined;
}

/** Why quantizers leave a tensor alone that they could take; undefined where they take it. */
function whyLeftAlone(
  { shape }: StoredTensor,
  { reason }: RoleOfTensor,
  experts: FusedExperts | undefined,
): string | undefined {
  if (reason !== undefined) return reason;
  if (experts) return experts.leftAlone;
  return shape.length > 2 ? `${shape.length} dimensions` : undefined;
}

/** What a tensor is for, how it is a matrix, what a quantizer does with it by default, and why. */
export type QuantizationOfTensor = Pick<
  ModelTensor,
  'role' | 'matrixShape' | 'quantizedByDefault' | 'notByDefault' | 'notQuantizable'
>;

/**
 * Finds out {@link QuantizationOfTensor}, by a tensor's name, element type and shape.
 * @param partOf why it is no weight by itself, where it is a part of another
 * @param model what the model's tensors say of each other, where it is known
 */
export function describeQuantization(
  tensor: StoredTensor,
  partOf?: string,
  model?: ExpertsOfModel,
): QuantizationOfTensor {
  const role = findRole(tensor, model?.mixtures);
  const experts = model?.fused.get(tensor.name);
  const notQuantizable = partOf ?? whyNotQuantizable(tensor);
  const notByDefault = notQuantizable ?? whyLeftAlone(tensor, role, experts);
  return {
    role: role.role,
    matrixShape: matrixShapeOf(tensor, role, experts),
    quantizedByDefault: notByDefault === undefined,
    notByDefault,
    notQuantizable,
  };
}

/** A shape with outputs and inputs last, where it is not the tensor's own. */
function matrixShapeOf(
  { shape }: StoredTensor,
  { reason }: RoleOfTensor,
  experts: FusedExperts | undefined,
): readonly number[] | undefined {
  if (experts?.transposed) return [shape[0], shape[2], shape[1]];
  const convolution = shape.length > 3 || (shape.length === 3 && reason === 'a convolution');
  if (!convolution) return undefined;
  // Each output of a convolution is a sum over in · kh · kw weights, which lie in one piece.
  return [shape[0], shape.slice(1).reduce((product, size) => product * size, 1)];
}
