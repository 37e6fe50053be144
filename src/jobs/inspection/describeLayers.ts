import type { LayerReport, TensorReport } from '../../reports/reports.js';
import { sortNaturally } from '../../storage/naturalOrder.js';
import { selectInLayer } from '../selection.js';

/**
 * The layers of a model in counting order ("layers.2" before "layers.10"), each with what its tensors
 * come to. Stacks of layers, such as "layers.#" and "vision.layers.#", follow each other as in the files.
 */
export function describeLayers(tensors: readonly TensorReport[]): LayerReport[] {
  const layers = new Map<string, TensorReport[]>();
  for (const tensor of tensors) {
    if (tensor.layer === '') continue;
    const members = layers.get(tensor.layer);
    if (members) members.push(tensor);
    else layers.set(tensor.layer, [tensor]);
  }
  const stacks = new Map<string, string[]>();
  for (const layer of layers.keys()) {
    const stack = layer.replace(/\d+/g, '#');
    const members = stacks.get(stack);
    if (members) members.push(layer);
    else stacks.set(stack, [layer]);
  }
  return [...stacks.values()]
    .flatMap((stack) => sortNaturally(stack, (layer) => layer))
    .map((layer) => describeLayer(layer, layers.get(layer)!));
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
