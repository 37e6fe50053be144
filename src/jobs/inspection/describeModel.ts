import type { OpenedModel } from '../../checkpoint/types.js';
import { nameArchitecture, summarizeConfig } from '../../model/config/configSummary.js';
import type { CheckpointReport } from '../../reports/reports.js';

/** An opened model as lists show it. */
export function describeModel(model: OpenedModel): CheckpointReport {
  const { path, fileSystem, files, tensors, metadata, problems, config, configProblem } = model;
  return {
    path,
    name: fileSystem.split(path).name,
    files: files.map(({ name, sizeBytes, headerBytes }) => ({ name, sizeBytes, headerBytes })),
    tensors: tensors.map(({ source: _, ...tensor }) => tensor),
    metadata,
    problems:
      configProblem === undefined
        ? problems
        : [...problems, { file: 'config.json', message: configProblem }],
    totalBytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    totalElements: tensors.reduce((sum, { elements }) => sum + elements, 0),
    architecture: nameArchitecture(config),
    configSummary: summarizeConfig(config),
  };
}
