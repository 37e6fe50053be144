/** A tensor's place among the repeated blocks of a model. */
export interface LayerPlace {
  /** "layers.0"; "" for tensors outside the repeated blocks. */
  readonly layer: string;
  readonly nameInLayer: string;
}

/** Splits at the first part that is a number: "model.layers.0" and "mlp.up_proj.weight". */
function splitName(name: string): { readonly layer: string; readonly rest: string } | undefined {
  let end = -1;
  for (const part of name.split('.')) {
    end += part.length + 1;
    if (end >= name.length - 1) return undefined;
    if (/^\d+$/.test(part)) return { layer: name.slice(0, end), rest: name.slice(end + 1) };
  }
  return undefined;
}

/** What all layers begin with, up to a dot, leaving each its last two parts. */
function sharedPrefix(layers: Iterable<string>): string {
  let shared: string[] | undefined;
  for (const layer of layers) {
    const parts = layer.split('.').slice(0, -2);
    if (!shared) {
      shared = parts;
      continue;
    }
    let same = 0;
    while (same < shared.length && shared[same] === parts[same]) same++;
    shared.length = same;
  }
  return (shared ?? []).map((part) => `${part}.`).join('');
}

/**
 * Splits tensor names into layers and names within them: the one rule for reports, lists and pages. What
 * all layers share in front ("model." of "model.layers.0") is left out.
 * @param names of all tensors of the model
 */
export function nameLayers(names: readonly string[]): (name: string) => LayerPlace {
  const layers = new Set<string>();
  for (const name of names) {
    const split = splitName(name);
    if (split) layers.add(split.layer);
  }
  const shared = sharedPrefix(layers);
  return (name) => {
    const split = splitName(name);
    if (split) return { layer: split.layer.slice(shared.length), nameInLayer: split.rest };
    const isBelow = name.startsWith(shared) && name.length > shared.length;
    return { layer: '', nameInLayer: isBelow ? name.slice(shared.length) : name };
  };
}
