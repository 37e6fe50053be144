import { isDecodable } from '../kernels/reference/decode.js';
import type { SourceRef } from '../protocol/worker.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';

/** Where workers find the bytes of a tensor's file. */
export function sourceOf(checkpoint: Checkpoint, tensor: CheckpointTensor): SourceRef {
  const bytes = checkpoint.inMemory?.get(tensor.file);
  if (bytes) return { kind: 'memory', name: tensor.file, bytes };
  const file = checkpoint.files.find(({ name }) => name === tensor.file);
  if (!file) throw new Error(`${tensor.file}: the file of "${tensor.name}" is missing`);
  return { kind: 'file', name: file.name, path: file.path };
}

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
