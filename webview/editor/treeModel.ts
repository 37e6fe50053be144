import { countWeights, nameStorage } from '../../src/reports/storedAs.js';
import { shortNames } from '../components/names.js';
import type { Checkpoint, LayerReport, Tensor } from '../components/protocolTypes.js';

/** Tensors that share a layer. */
export interface Layer {
  readonly name: string;
  /** What the tensors come to, and which of them are quantized. */
  readonly report: LayerReport;
  readonly tensors: readonly Tensor[];
  /** What the list calls the tensors. */
  readonly listNames: ReadonlyMap<Tensor, string>;
}

/** A line of the tree, with its place among its siblings (1-based, as ARIA counts). */
export type TreeRow = {
  readonly level: 1 | 2;
  readonly position: number;
  readonly siblings: number;
} & (
  | { readonly kind: 'tensor'; readonly tensor: Tensor; readonly listName: string }
  | {
      readonly kind: 'layer';
      readonly layer: Layer;
      readonly expanded: boolean;
      /** Tensors that match the filter. */
      readonly matches: number;
    }
);

/** What some tensors come to. */
export interface Totals {
  readonly tensors: number;
  readonly elements: number;
  readonly bytes: number;
}

export interface TreeView {
  readonly rows: readonly TreeRow[];
  readonly found: Totals;
}

/** What is selected or expanded: a tensor's or a layer's name. */
export interface TreeItem {
  readonly kind: 'tensor' | 'layer';
  readonly name: string;
}

/** Dimensions that the filter looks at. */
const SEARCHED_DIMENSIONS = 64;

type Root = { readonly layer: Layer } | { readonly tensor: Tensor };

/** Tensors grouped by layer: embeddings, layers as reported, the rest; else in file order. */
export class TreeModel {
  readonly layers: ReadonlyMap<string, Layer>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  private readonly roots: readonly Root[];
  /** Lower-case text that the filter looks in. */
  private readonly haystacks = new Map<Tensor, string>();

  constructor({ tensors, layers }: Pick<Checkpoint, 'tensors' | 'layers'>) {
    const members = new Map(layers.map(({ layer }): [string, Tensor[]] => [layer, []]));
    for (const tensor of tensors) members.get(tensor.layer)?.push(tensor);
    this.layers = new Map(
      layers.map((report) => [report.layer, makeLayer(report, members.get(report.layer)!)]),
    );
    this.tensors = new Map(tensors.map((tensor) => [tensor.name, tensor]));
    this.roots = [...rootsInOrder(tensors, this.layers)];
  }

  /**
   * The visible rows, and what all tensors that match come to. `isExpanded` says which layers are open. A filter keeps the tensors that
   * contain each of its words in name, type or shape.
   */
  view(isExpanded: (layer: string) => boolean, filter: string): TreeView {
    const words = filterWords(filter);
    const rows: TreeRow[] = [];
    const kept: { root: Root; matching: readonly Tensor[] }[] = [];
    for (const root of this.roots) {
      const all = 'layer' in root ? root.layer.tensors : [root.tensor];
      const matching = words.length ? all.filter((tensor) => this.matches(tensor, words)) : all;
      if (matching.length) kept.push({ root, matching });
    }
    kept.forEach(({ root, matching }, index) => {
      const place = { level: 1, position: index + 1, siblings: kept.length } as const;
      if ('tensor' in root) {
        const { tensor } = root;
        rows.push({
          ...place,
          kind: 'tensor',
          tensor,
          listName: tensor.nameInLayer || tensor.name,
        });
        return;
      }
      const { layer } = root;
      const expanded = isExpanded(layer.name);
      rows.push({ ...place, kind: 'layer', layer, expanded, matches: matching.length });
      if (!expanded) return;
      const siblings = matching.length;
      matching.forEach((tensor, at) => {
        const listName = layer.listNames.get(tensor)!;
        rows.push({ kind: 'tensor', tensor, listName, level: 2, position: at + 1, siblings });
      });
    });
    const found = kept.flatMap(({ matching }) => matching);
    return { rows, found: totalsOf(found) };
  }

  private matches(tensor: Tensor, words: readonly string[]): boolean {
    let haystack = this.haystacks.get(tensor);
    if (haystack === undefined) {
      const shape = (tensor.exactShape ?? tensor.shape).slice(0, SEARCHED_DIMENSIONS).join('x');
      haystack = `${tensor.name}\n${tensor.layer}\n${nameStorage(tensor)}\n${shape}`.toLowerCase();
      this.haystacks.set(tensor, haystack);
    }
    return words.every((word) => haystack.includes(word));
  }
}

/** Words of a filter; "2,048 × 256" and "2048x256" are written alike. */
export function filterWords(filter: string): string[] {
  return filter
    .toLowerCase()
    .replace(/(\d),(?=\d{3}(?!\d))/g, '$1')
    .replace(/(\d)\s*[×x*]\s*(?=\d)/g, '$1x')
    .split(/\s+/)
    .filter((word) => word !== '');
}

/** The tensors that "Quantize Layer…" means for this selection. */
export function quantizableTensors(item: Tensor | Layer): readonly string[] {
  if ('tensors' in item) return item.report.quantizable;
  return item.notQuantizable === undefined ? [item.name] : [];
}

export function rowKey(row: TreeRow): TreeItem {
  return row.kind === 'layer'
    ? { kind: 'layer', name: row.layer.name }
    : { kind: 'tensor', name: row.tensor.name };
}

export function sameItem(a: TreeItem | undefined, b: TreeItem | undefined): boolean {
  return a?.kind === b?.kind && a?.name === b?.name;
}

function totalsOf(tensors: readonly Tensor[]): Totals {
  let [elements, bytes] = [0, 0];
  for (const tensor of tensors) {
    elements += countWeights(tensor);
    bytes += tensor.bytes;
  }
  return { tensors: tensors.length, elements, bytes };
}

function makeLayer(report: LayerReport, tensors: readonly Tensor[]): Layer {
  const names = shortNames(tensors.map((tensor) => tensor.nameInLayer || tensor.name));
  return {
    name: report.layer,
    report,
    tensors,
    listNames: new Map(tensors.map((tensor, i) => [tensor, names[i]])),
  };
}

function* rootsInOrder(
  tensors: readonly Tensor[],
  layers: ReadonlyMap<string, Layer>,
): Generator<Root> {
  const outside = tensors.filter((tensor) => tensor.layer === '');
  // Embeddings come before the first layer, whatever the order of the file.
  for (const tensor of outside) if (tensor.role === 'embedding') yield { tensor };
  for (const layer of layers.values()) yield { layer };
  for (const tensor of outside) if (tensor.role !== 'embedding') yield { tensor };
}
