import { naturalKey } from '../../storage/naturalOrder.js';
import { forEachInSteps, sortInSteps, type Steps } from '../../storage/slices.js';

/**
 * Layers in the order of lists, in steps: by counting ("layers.2" before "layers.10"); stacks of layers,
 * such as "layers.#" and "vision.layers.#", follow each other as given.
 */
export function* inListOrder<Layer>(
  layers: readonly Layer[],
  nameOf: (layer: Layer) => string,
): Steps<Layer[]> {
  const stacks = new Map<string, number>();
  const keyed: { readonly layer: Layer; readonly stack: number; readonly key: string }[] = [];
  yield* forEachInSteps(layers, (layer) => {
    const name = nameOf(layer);
    const stackName = name.replace(/\d+/g, '#');
    let stack = stacks.get(stackName);
    if (stack === undefined) stacks.set(stackName, (stack = stacks.size));
    keyed.push({ layer, stack, key: naturalKey(name) });
  });
  const sorted = yield* sortInSteps(
    keyed,
    (a, b) => a.stack - b.stack || (a.key < b.key ? -1 : a.key > b.key ? 1 : 0),
  );
  return sorted.map(({ layer }) => layer);
}
