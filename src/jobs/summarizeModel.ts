import type { ModelTensor, OpenedModel } from '../checkpoint/types.js';
import { nameArchitecture } from '../model/config/configSummary.js';
import type { ModelSummary } from '../reports/reports.js';
import { countWeights } from '../reports/storedAs.js';
import { noteLeftOut } from './leftOut.js';

/**
 * What a report says of its model.
 * @param selected the tensors that the job is about
 * @param isQuantized whether they are quantized; else nothing is left out
 */
export function summarizeModel(
  { path, config, tensors, notes, decodedFrom }: OpenedModel,
  selected: readonly ModelTensor[],
  isQuantized = true,
): ModelSummary {
  const sum = (list: readonly ModelTensor[]) =>
    list.reduce((total, tensor) => total + countWeights(tensor), 0);
  return {
    path,
    architecture: nameArchitecture(config) ?? null,
    parameters: sum(tensors),
    quantizableParameters: sum(tensors.filter(({ quantizedByDefault }) => quantizedByDefault)),
    dtype: [...new Set(selected.map(({ dtype, storage }) => storage?.label ?? dtype))]
      .sort()
      .join(', '),
    notes: [
      ...(isQuantized ? noteLeftOut(tensors, selected) : []),
      ...decodedFrom.map((line) => `${line}.`),
      ...notes.map(({ message }) => message),
    ],
  };
}
