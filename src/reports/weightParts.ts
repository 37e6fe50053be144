import type { TensorReport } from './reports.js';

/**
 * Each tensor by itself; of a weight that cannot be decoded, the parts together where the first of them stands.
 * @param tensors in the order of the file
 */
export function groupParts<Tensor extends Pick<TensorReport, 'partOf'>>(
  tensors: readonly Tensor[],
): [Tensor, ...Tensor[]][] {
  const groups: [Tensor, ...Tensor[]][] = [];
  const ofWeight = new Map<string, [Tensor, ...Tensor[]]>();
  for (const tensor of tensors) {
    const weight = tensor.partOf?.weight;
    const others = weight === undefined ? undefined : ofWeight.get(weight);
    if (others) {
      others.push(tensor);
      continue;
    }
    const group: [Tensor, ...Tensor[]] = [tensor];
    groups.push(group);
    if (weight !== undefined) ofWeight.set(weight, group);
  }
  return groups;
}

/** The name of a weight within the layer of one of its parts; the whole name where it has no layer. */
export function nameWeightInLayer(
  { name, layer, nameInLayer }: Pick<TensorReport, 'name' | 'layer' | 'nameInLayer'>,
  weight: string,
): string {
  const before = name.slice(0, name.length - nameInLayer.length);
  return layer !== '' && weight.startsWith(before) ? weight.slice(before.length) : weight;
}
