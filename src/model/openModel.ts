import { readConfigFile } from '../checkpoint/configFile.js';
import { nameLayers } from '../checkpoint/layers.js';
import { openCheckpoint } from '../checkpoint/openCheckpoint.js';
import { describeQuantization } from '../checkpoint/quantizable.js';
import type { OpenedModel } from '../checkpoint/types.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { recordInputs, type InputState } from '../storage/inputs.js';
import { findOrientation } from './config/orientation.js';

/**
 * Opens a model: its files' headers, its configuration, and what follows from both for each tensor.
 * Reads no weights and leaves nothing open.
 * @param path a file of tensors, an index of shards, or a model folder, as `fileSystem` names it
 * @throws CheckpointError with one line that names file, place and rule; a configuration that cannot be
 *   read is a property of the model, since its weights can be viewed without
 */
export async function openModel(path: string, fileSystem: FileSystem): Promise<OpenedModel> {
  const inputs = new Map<string, InputState>();
  const recorded = recordInputs(fileSystem, inputs);
  const checkpoint = await openCheckpoint(path, recorded);
  const { config, problem } = await readConfigFile(checkpoint.folder, recorded);
  const { isTransposed, note } = findOrientation(config?.model_type, checkpoint.tensors);
  const placeOf = nameLayers(checkpoint.tensors.map(({ name }) => name));
  return {
    ...checkpoint,
    fileSystem,
    inputs,
    config,
    configProblem: problem,
    notes: [
      ...(problem === undefined ? [] : [{ file: 'config.json', message: problem }]),
      ...(note ? [note] : []),
    ],
    tensors: checkpoint.tensors.map((tensor) => ({
      ...tensor,
      ...placeOf(tensor.name),
      transposed: isTransposed(tensor),
      ...describeQuantization(tensor),
    })),
  };
}
