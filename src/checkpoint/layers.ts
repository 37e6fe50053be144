/** A tensor's place among the repeated blocks of a model. */
export interface LayerPlace {
  /** "layers.0"; "" for tensors outside the repeated blocks. */
  readonly layer: string;
  readonly nameInLayer: string;
}

const ZERO = 0x30;
const NINE = 0x39;

/** Splits at the first part that is a number: "model.layers.0" and "mlp.up_proj.weight". */
function splitName(name: string): { readonly layer: string; readonly rest: string } | undefined {
  for (let begin = 0; ;) {
    const end = name.indexOf('.', begin);
    if (end < 0 || end === name.length - 1) return undefined;
    if (isNumber(name, begin, end)) return { layer: name.slice(0, end), rest: name.slice(end + 1) };
    begin = end + 1;
  }
}

function isNumber(name: string, begin: number, end: number): boolean {
  for (let at = begin; at < end; at++) {
    const code = name.charCodeAt(at);
    if (code < ZERO || code > NINE) return false;
  }
  return begin < end;
}

/** A layer's name up to a dot, without its last two parts: "model." of "model.layers.0". */
function prefixOf(layer: string): string {
  const lastDot = layer.lastIndexOf('.');
  return lastDot <= 0 ? '' : layer.slice(0, layer.lastIndexOf('.', lastDot - 1) + 1);
}

/** What all layers begin with, up to a dot, leaving each its last two parts. */
function sharedPrefix(layers: Iterable<string>): string {
  let shared: string | undefined;
  for (const layer of layers) {
    const prefix = prefixOf(layer);
    if (shared === undefined) {
      shared = prefix;
      continue;
    }
    let same = 0;
    while (same < shared.length && shared[same] === prefix[same]) same++;
    shared = shared.slice(0, same);
    shared = shared.slice(0, shared.lastIndexOf('.') + 1);
  }
  return shared ?? '';
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
