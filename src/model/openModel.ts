import { readConfigFile } from '../checkpoint/configFile.js';
import { findExperts, type ExpertsOfModel } from '../checkpoint/experts.js';
import { nameLayersInSteps, type LayerPlace } from '../checkpoint/layers.js';
import { openCheckpoint } from '../checkpoint/openCheckpoint.js';
import { describeQuantization, type QuantizationOfTensor } from '../checkpoint/quantizable.js';
import type { CheckpointFile, ModelTensor, OpenedModel } from '../checkpoint/types.js';
import type { CallOptions } from '../rpc/rpc.js';
import type { StoredTensor } from '../storage/container.js';
import type { FileSystem } from '../storage/fileSystem.js';
import { recordInputs, type InputState } from '../storage/inputs.js';
import type { SourceRef } from '../storage/sourceRef.js';
import { replaceInSteps, runInSlices, type Steps } from '../storage/slices.js';
import { describeAdapter, recognizeAdapter } from './adapters.js';
import { AS_USUAL, findOrientation } from './config/orientation.js';
import { textConfigOf } from './config/textConfig.js';
import { findLogicalTensors, type LogicalTensors } from './logicalTensors.js';

/**
 * Opens a model: its files' headers, its configuration, and what follows from both for each tensor.
 * Reads no weights and leaves nothing open. Works in slices, so that the thread answers others meanwhile.
 * @param path a file of tensors, an index of shards, or a model folder, as `fileSystem` names it
 * @throws CheckpointError with one line that names file, place and rule; a configuration that cannot be
 *   read is a property of the model, since its weights can be viewed without
 */
export async function openModel(
  path: string,
  fileSystem: FileSystem,
  options: CallOptions = {},
): Promise<OpenedModel> {
  const inputs = new Map<string, InputState>();
  const recorded = recordInputs(fileSystem, inputs);
  const checkpoint = await openCheckpoint(path, recorded, options);
  const { configuration } = checkpoint;
  // A file that says itself what model it holds may lie beside the configuration of another.
  const { config, problem } = configuration
    ? { config: configuration, problem: undefined }
    : await readConfigFile(checkpoint.folder, recorded);
  const adapterKind = await runInSlices(recognizeAdapter(checkpoint.tensors), options);
  const adapter =
    adapterKind === undefined
      ? undefined
      : await describeAdapter(checkpoint, adapterKind, recorded);
  const stored = await findLogicalTensors(checkpoint, config, recorded);
  // Formats that bring their configuration (GGUF) have all weights the usual way round.
  const modelType = config && textConfigOf(config).fields.model_type;
  const orientation = configuration
    ? AS_USUAL
    : await runInSlices(findOrientation(modelType, stored.tensors), options);
  const { isTransposed, note } = orientation;
  const experts = await runInSlices(
    findExperts(stored.tensors, config, (tensor) => stored.decoded.get(tensor)?.storage.label),
    options,
  );
  return {
    ...checkpoint,
    fileSystem,
    inputs,
    config,
    configProblem: problem,
    notes: [
      ...(problem === undefined ? [] : [{ file: 'config.json', message: problem }]),
      ...(adapter === undefined ? [] : [{ file: checkpoint.files[0].name, message: adapter }]),
      ...checkpoint.notes,
      ...(note ? [note] : []),
      ...stored.notes,
    ],
    ...(adapter !== undefined && { adapter }),
    decodedFrom: stored.decodedFrom,
    undecodable: stored.undecodable,
    tensors: await runInSlices(
      makeModelTensors(checkpoint.files, stored, isTransposed, experts),
      options,
    ),
  };
}

/** What the model makes of each tensor; uses up the checkpoint's list. */
function* makeModelTensors(
  files: readonly CheckpointFile[],
  { tensors, decoded, refused }: LogicalTensors,
  isTransposed: (tensor: StoredTensor) => boolean,
  experts: ExpertsOfModel,
): Steps<ModelTensor[]> {
  const sources = new Map(files.map(({ name, source }) => [name, source]));
  const placeOf = yield* nameLayersInSteps(tensors);
  return yield* replaceInSteps(tensors, (tensor): ModelTensor => {
    const place = placeOf(tensor.name);
    const weight = decoded.get(tensor);
    if (weight) {
      // Decoded weights have outputs first, whichever way round their codes are stored.
      const made = makeModelTensor(
        tensor,
        weight.source,
        place,
        false,
        describeQuantization(tensor, undefined, experts),
      );
      return { ...made, storage: weight.storage };
    }
    const source = sources.get(tensor.file)!;
    const part = refused.get(tensor);
    const quantization = describeQuantization(tensor, part?.reason, experts);
    const transposed = experts.fused.get(tensor.name)?.transposed ?? isTransposed(tensor);
    const made = makeModelTensor(tensor, source, place, transposed, quantization);
    return part ? { ...made, partOf: part.partOf } : made;
  });
}

/** Written out, not spread: a million tensors made so take a third of the time and of the memory. */
function makeModelTensor(
  { name, file, dtype, shape, exactShape, offset, bytes, elements }: StoredTensor,
  source: SourceRef,
  { layer, nameInLayer }: LayerPlace,
  transposed: boolean,
  { role, matrixShape, quantizedByDefault, notByDefault, notQuantizable }: QuantizationOfTensor,
): ModelTensor {
  const tensor: ModelTensor = {
    name,
    file,
    dtype,
    shape,
    offset,
    bytes,
    elements,
    source,
    layer,
    nameInLayer,
    transposed,
    role,
    quantizedByDefault,
    notByDefault,
    notQuantizable,
  };
  if (!exactShape && !matrixShape) return tensor;
  return { ...tensor, ...(exactShape && { exactShape }), ...(matrixShape && { matrixShape }) };
}
