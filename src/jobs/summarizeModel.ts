import type { ModelTensor, OpenedModel } from '../checkpoint/types.js';
import { nameArchitecture } from '../model/config/configSummary.js';
import type { ModelSummary } from '../reports/reports.js';
import { noteLeftOut } from './leftOut.js';

/** What a report says of its model; `selected` are the tensors that the job is about. */
export function summarizeModel(
  { path, config, tensors, notes, decodedFrom }: OpenedModel,
  selected: readonly ModelTensor[],
): ModelSummary {
  const sum = (list: readonly ModelTensor[]) =>
    list.reduce((total, { elements }) => total + elements, 0);
  return {
    path,
    architecture: nameArchitecture(config) ?? null,
    parameters: sum(tensors),
    quantizableParameters: sum(tensors.filter(({ quantizedByDefault }) => quantizedByDefault)),
    dtype: [...new Set(selected.map(({ dtype, storage }) => storage?.label ?? dtype))]
      .sort()
      .join(', '),
    notes: [
      ...noteLeftOut(tensors, selected),
      ...decodedFrom.map((line) => `${line}.`),
      ...notes.map(({ message }) => message),
    ],
  };
}
