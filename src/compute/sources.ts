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
