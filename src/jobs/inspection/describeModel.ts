import type { CheckpointProblem, ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { nameArchitecture, summarizeConfig } from '../../model/config/configSummary.js';
import type { CheckpointReport, TensorReport } from '../../reports/reports.js';
import { describeLayers } from './describeLayers.js';

/** What is wrong with a model's files, and what is not certain of them. */
export function listProblems({ problems, notes }: OpenedModel): readonly CheckpointProblem[] {
  return [...problems, ...notes];
}

/** What is known of a tensor, without the way to its bytes. */
export function describeTensor({ source: _, ...tensor }: ModelTensor): TensorReport {
  return tensor;
}

/** What `inspect --json` says of a tensor whose weights it has not read. */
export type InspectedTensor = Omit<TensorReport, 'shape' | 'exactShape'> & {
  readonly shape: readonly (number | string)[];
};

/** A tensor for `inspect --json`; written out, not spread, since there may be a million of them. */
export function describeForInspection(tensor: ModelTensor): InspectedTensor {
  return {
    name: tensor.name,
    file: tensor.file,
    dtype: tensor.dtype,
    offset: tensor.offset,
    bytes: tensor.bytes,
    elements: tensor.elements,
    layer: tensor.layer,
    nameInLayer: tensor.nameInLayer,
    transposed: tensor.transposed,
    role: tensor.role,
    quantizedByDefault: tensor.quantizedByDefault,
    notByDefault: tensor.notByDefault,
    notQuantizable: tensor.notQuantizable,
    shape: tensor.exactShape ?? tensor.shape,
  };
}

/** An opened model as lists show it. */
export function describeModel(model: OpenedModel): CheckpointReport {
  const { path, fileSystem, files, metadata, config } = model;
  const tensors = model.tensors.map(describeTensor);
  return {
    path,
    name: fileSystem.split(path).name,
    files: files.map(({ name, sizeBytes, headerBytes }) => ({ name, sizeBytes, headerBytes })),
    tensors,
    layers: describeLayers(tensors),
    metadata,
    problems: listProblems(model),
    totalBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    totalElements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    architecture: nameArchitecture(config),
    configSummary: summarizeConfig(config),
  };
}
