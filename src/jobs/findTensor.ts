import type { ModelTensor, OpenedModel } from '../checkpoint/types.js';
import { hasPlainNumbers } from '../storage/elementTypes.js';

/** A tensor by name. @throws an Error of one line where there is none */
export function findTensor(model: OpenedModel, name: string): ModelTensor {
  const tensor = model.tensors.find((candidate) => candidate.name === name);
  if (!tensor) throw new Error(`${model.path}: there is no tensor "${name}"`);
  return tensor;
}

/** @throws where a tensor's element type has no plain numbers */
export function requireNumbers(tensor: ModelTensor): void {
  if (!hasPlainNumbers(tensor.dtype)) {
    throw new Error(
      `${tensor.file}: "${tensor.name}" has element type ${tensor.dtype}, which has no plain numbers to show`,
    );
  }
}
