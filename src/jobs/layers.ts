/** Path up to and including the first number: the layer of a repeated block. */
const LAYER = /^(.*?(?:^|\.)\d+)\.(.+)$/;

/**
 * Splits tensor names into layers and names within them. What all layers share in front
 * ("model." of "model.layers.0") is left out.
 */
export function layerNaming(names: readonly string[]): (name: string) => {
  readonly layer: string;
  readonly nameInLayer: string;
} {
  const prefixes = new Set<string>();
  for (const name of names) {
    const match = LAYER.exec(name);
    if (match) prefixes.add(match[1].replace(/\d+$/, ''));
  }
  const shared = prefixes.size === 1 ? [...prefixes][0].replace(/[^.]*\.$/, '') : '';
  return (name) => {
    const match = LAYER.exec(name);
    return match
      ? { layer: match[1].slice(shared.length), nameInLayer: match[2] }
      : { layer: '', nameInLayer: name.startsWith(shared) ? name.slice(shared.length) : name };
  };
}
