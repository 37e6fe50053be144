import type { LayerReport, TensorReport } from '../../reports/reports.js';
import { countWeights } from '../../reports/storedAs.js';
import { forEachInSteps, replaceInSteps, runAtOnce, type Steps } from '../../storage/slices.js';
import { selectInLayer } from '../selection.js';
import { inListOrder } from './layerOrder.js';

/** The layers of a model in the order of lists, each with what its tensors come to; in steps. */
export function* describeLayersInSteps(tensors: readonly TensorReport[]): Steps<LayerReport[]> {
  const layers = new Map<string, TensorReport[]>();
  yield* forEachInSteps(tensors, (tensor) => {
    if (tensor.layer === '') return;
    const members = layers.get(tensor.layer);
    if (members) members.push(tensor);
    else layers.set(tensor.layer, [tensor]);
  });
  const ordered = yield* inListOrder([...layers], ([layer]) => layer);
  return yield* replaceInSteps(ordered, ([layer, members]) => describeLayer(layer, members));
}

/** {@link describeLayersInSteps} at once. */
export function describeLayers(tensors: readonly TensorReport[]): LayerReport[] {
  return runAtOnce(describeLayersInSteps(tensors));
}

function describeLayer(layer: string, tensors: readonly TensorReport[]): LayerReport {
  const quantizable = selectInLayer(tensors);
  return {
    layer,
    tensors: tensors.length,
    elements: elementsOf(tensors),
    bytes: tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    quantizable: quantizable.map(({ name }) => name),
    quantizableElements: elementsOf(quantizable),
  };
}

function elementsOf(tensors: readonly TensorReport[]): number {
  return tensors.reduce((sum, tensor) => sum + countWeights(tensor), 0);
}
