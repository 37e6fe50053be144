import { isDecodable } from '../kernels/reference/decode.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';

/** A tensor by name. */
export function findTensor(checkpoint: Checkpoint, name: string): CheckpointTensor {
  const tensor = checkpoint.tensors.find((candidate) => candidate.name === name);
  if (!tensor) throw new Error(`${checkpoint.path}: there is no tensor "${name}"`);
  return tensor;
}

/** @throws where a tensor's element type has no plain numbers */
export function requireNumbers(tensor: CheckpointTensor): void {
  if (!isDecodable(tensor.dtype)) {
    throw new Error(
      `${tensor.file}: "${tensor.name}" has element type ${tensor.dtype}, which has no plain numbers to show`,
    );
  }
}
