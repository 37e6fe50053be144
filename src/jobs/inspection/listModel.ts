import type { ModelTensor, OpenedModel } from '../../checkpoint/types.js';
import { countWeights } from '../../reports/storedAs.js';
import { forEachInSteps, type Steps } from '../../storage/slices.js';
import { SelectionError, makeTensorMatcher } from '../selection.js';
import { inListOrder } from './layerOrder.js';

/** A layer in a list: how much it holds, and those of its tensors that are listed. */
export interface ListedLayer {
  readonly layer: string;
  /** Tensors of the layer, whether they were asked for or not. */
  readonly tensors: number;
  readonly bytes: number;
  /** Tensors that were asked for. */
  readonly matching: number;
  /** The first of these, as many as the list has room for. */
  readonly listed: readonly ModelTensor[];
}

/** The tensors of a model as a list of bounded length, whatever the file holds. */
export interface ModelListing {
  /** All of the model, whether it was asked for or not. */
  readonly all: {
    readonly tensors: number;
    /** Weights; what cannot be decoded is not among them. */
    readonly elements: number;
    readonly bytes: number;
    /** Weights (matrices) whose parts are not decoded. */
    readonly undecoded: number;
  };
  /** Tensors that were asked for. */
  readonly matching: number;
  /** Outside the layers, in file order. */
  readonly embeddings: readonly ModelTensor[];
  readonly layers: readonly ListedLayer[];
  /** Outside the layers, in file order. */
  readonly rest: readonly ModelTensor[];
  /** Tensors that were asked for and are not listed. */
  readonly unlisted: number;
}

/** How long a list may become. */
export interface ListBounds {
  readonly tensors: number;
  readonly layers: number;
}

/** Layers that are told apart; models have a hundred. */
const MAX_LAYERS = 10_000;

type LayerTotals = { -readonly [Key in keyof ListedLayer]: ListedLayer[Key] } & {
  listed: ModelTensor[];
  /** How many may be listed. */
  room: number;
};

/**
 * The tensors whose names match some globs, all where there are none; in steps.
 * @throws SelectionError where none matches
 */
export function* selectForInspection(
  { path, tensors }: OpenedModel,
  globs: readonly string[] = [],
): Steps<readonly ModelTensor[]> {
  if (globs.length === 0) return tensors;
  const matches = makeTensorMatcher(globs);
  const selected: ModelTensor[] = [];
  yield* forEachInSteps(tensors, (tensor) => {
    if (matches(tensor.name)) selected.push(tensor);
  });
  if (selected.length > 0) return selected;
  throw new SelectionError(`${path}: no tensor matches ${globs.join(', ')}`);
}

/**
 * Lists tensors of a model by layer, in steps. Where there are more than the bounds allow, those outside
 * the layers come first, then those of the first layers; of the other layers there are totals.
 * @param selected the tensors that were asked for, in the model's order
 */
export function* listModel(
  model: OpenedModel,
  selected: readonly ModelTensor[],
  bounds: ListBounds,
): Steps<ModelListing> {
  const all = { tensors: model.tensors.length, elements: 0, bytes: 0 };
  const undecoded = new Set<string>();
  const layers = new Map<string, LayerTotals>();
  yield* forEachInSteps(model.tensors, (tensor) => {
    const { layer, bytes, partOf } = tensor;
    all.elements += countWeights(tensor);
    if (partOf) undecoded.add(partOf.weight);
    all.bytes += bytes;
    if (layer === '') return;
    let totals = layers.get(layer);
    if (!totals) {
      if (layers.size >= MAX_LAYERS) return;
      totals = { layer, tensors: 0, bytes: 0, matching: 0, listed: [], room: 0 };
      layers.set(layer, totals);
    }
    totals.tensors++;
    totals.bytes += bytes;
  });
  const outside: ModelTensor[] = [];
  yield* forEachInSteps(selected, (tensor) => {
    const totals = layers.get(tensor.layer);
    if (totals) totals.matching++;
    else if (tensor.layer === '' && outside.length < bounds.tensors) outside.push(tensor);
  });
  const asked = [...layers.values()].filter(({ matching }) => matching > 0);
  const shown = (yield* inListOrder(asked, ({ layer }) => layer)).slice(0, bounds.layers);
  let listed = outside.length;
  for (const totals of shown) {
    totals.room = Math.min(totals.matching, bounds.tensors - listed);
    listed += totals.room;
  }
  yield* forEachInSteps(selected, (tensor) => {
    const totals = layers.get(tensor.layer);
    if (totals && totals.listed.length < totals.room) totals.listed.push(tensor);
  });
  return {
    all: { ...all, undecoded: undecoded.size },
    matching: selected.length,
    embeddings: outside.filter(({ role }) => role === 'embedding'),
    layers: shown,
    rest: outside.filter(({ role }) => role !== 'embedding'),
    unlisted: selected.length - listed,
  };
}
