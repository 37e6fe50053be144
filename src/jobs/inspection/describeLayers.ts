import type { LayerReport, TensorReport } from '../../reports/reports.js';
import { runAtOnce } from '../../storage/slices.js';
import { selectInLayer } from '../selection.js';
import { inListOrder } from './layerOrder.js';

/** The layers of a model in the order of lists, each with what its tensors come to. */
export function describeLayers(tensors: readonly TensorReport[]): LayerReport[] {
  const layers = new Map<string, TensorReport[]>();
  for (const tensor of tensors) {
    if (tensor.layer === '') continue;
    const members = layers.get(tensor.layer);
    if (members) members.push(tensor);
    else layers.set(tensor.layer, [tensor]);
  }
  const ordered = runAtOnce(inListOrder([...layers], ([layer]) => layer));
  return ordered.map(([layer, members]) => describeLayer(layer, members));
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
  return tensors.reduce((sum, { elements }) => sum + elements, 0);
}
