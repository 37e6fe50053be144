import { readModelConfig } from '../safetensors/index.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { architectureOf } from './modelConfig.js';
import type { ModelSummary } from './reports.js';
import { isQuantizedByDefault } from './selection.js';

/** What a report says of its model; `selected` are the tensors that the job is about. */
export async function summarizeModel(
  checkpoint: Checkpoint,
  selected: readonly CheckpointTensor[],
): Promise<ModelSummary> {
  const { config } = await readModelConfig(checkpoint.folder);
  const sum = (list: readonly CheckpointTensor[]) =>
    list.reduce((total, { elements }) => total + elements, 0);
  return {
    path: checkpoint.path,
    architecture: architectureOf(config) ?? null,
    parameters: sum(checkpoint.tensors),
    quantizableParameters: sum(checkpoint.tensors.filter(isQuantizedByDefault)),
    dtype: [...new Set(selected.map(({ dtype }) => dtype))].sort().join(', '),
  };
}
