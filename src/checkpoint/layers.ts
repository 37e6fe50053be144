import { forEachInSteps, runAtOnce, type Steps } from '../storage/slices.js';

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

/** What both begin with, up to a dot. */
function sharedStart(a: string, b: string): string {
  if (a === b) return a;
  let same = 0;
  while (same < a.length && a[same] === b[same]) same++;
  const shared = a.slice(0, same);
  return shared.slice(0, shared.lastIndexOf('.') + 1);
}

/**
 * Splits tensor names into layers and names within them: the one rule for reports, lists and pages. What
 * all layers share in front ("model." of "model.layers.0"), leaving each its last two parts, is left out.
 * @param tensors all tensors of the model, looked at in steps
 */
export function* nameLayersInSteps(
  tensors: Iterable<{ readonly name: string }>,
): Steps<(name: string) => LayerPlace> {
  let found: string | undefined;
  let last: string | undefined;
  yield* forEachInSteps(tensors, ({ name }) => {
    if (found === '' || isWithin(name, last)) return;
    const split = splitName(name);
    if (!split) return;
    last = `${split.layer}.`;
    const prefix = prefixOf(split.layer);
    found = found === undefined ? prefix : sharedStart(found, prefix);
  });
  const shared = found ?? '';
  // One after the other, tensors mostly belong to the same layer, whose name they then share.
  let whole: string | undefined;
  let layer = '';
  return (name) => {
    if (isWithin(name, whole)) return { layer, nameInLayer: name.slice(whole.length) };
    const split = splitName(name);
    if (split) {
      whole = `${split.layer}.`;
      layer = split.layer.slice(shared.length);
      return { layer, nameInLayer: split.rest };
    }
    const isBelow = name.startsWith(shared) && name.length > shared.length;
    return { layer: '', nameInLayer: isBelow ? name.slice(shared.length) : name };
  };
}

/** True for what {@link splitName} would give the layer that begins so, with the dot behind it. */
function isWithin(name: string, layer: string | undefined): layer is string {
  return layer !== undefined && name.length > layer.length && name.startsWith(layer);
}

/** {@link nameLayersInSteps} at once, for the names of all tensors of a model. */
export function nameLayers(names: readonly string[]): (name: string) => LayerPlace {
  return runAtOnce(nameLayersInSteps(names.map((name) => ({ name }))));
}
