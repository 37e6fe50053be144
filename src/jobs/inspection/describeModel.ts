import type { CheckpointProblem, OpenedModel } from '../../checkpoint/types.js';
import { nameArchitecture, summarizeConfig } from '../../model/config/configSummary.js';
import type { CheckpointReport } from '../../reports/reports.js';

/** What is wrong with a model's files, and what is not certain of them. */
export function listProblems({ problems, notes }: OpenedModel): readonly CheckpointProblem[] {
  return [...problems, ...notes];
}

/** An opened model as lists show it. */
export function describeModel(model: OpenedModel): CheckpointReport {
  const { path, fileSystem, files, tensors, metadata, config } = model;
  return {
    path,
    name: fileSystem.split(path).name,
    files: files.map(({ name, sizeBytes, headerBytes }) => ({ name, sizeBytes, headerBytes })),
    tensors: tensors.map(({ source: _, ...tensor }) => tensor),
    metadata,
    problems: listProblems(model),
    totalBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    totalElements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    architecture: nameArchitecture(config),
    configSummary: summarizeConfig(config),
  };
}
