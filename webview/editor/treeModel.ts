import { countWeights, nameStorage } from '../../src/reports/storedAs.js';
import { groupParts, nameWeightInLayer } from '../../src/reports/weightParts.js';
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
  /** The same tensors as the list has them. */
  readonly members: readonly Member[];
}

/** A weight that is stored in several tensors and cannot be decoded. */
export interface UndecodedWeight {
  readonly name: string;
  /** How it is stored: "EXL2". */
  readonly label: string;
  readonly parts: readonly [Tensor, ...Tensor[]];
}

/** What stands in a layer or beside them: a tensor, or the parts of a weight that cannot be decoded. */
interface Member {
  readonly tensors: readonly Tensor[];
  /** What the list calls it. */
  readonly listName: string;
  readonly weight?: UndecodedWeight;
}

/** Where a row stands among its siblings, which are counted from 1, as ARIA counts. */
interface Place {
  readonly level: number;
  readonly position: number;
  readonly siblings: number;
}

/** A line of the tree. */
export type TreeRow = Place &
  (
    | {
        readonly kind: 'tensor';
        readonly tensor: Tensor;
        readonly listName: string;
        /** How it is stored; the type of its elements where the row above says the rest. */
        readonly type: string;
      }
    | {
        readonly kind: 'weight';
        readonly weight: UndecodedWeight;
        readonly listName: string;
        readonly expanded: boolean;
        /** Parts that match the filter. */
        readonly matches: number;
      }
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

/** What is selected: the name of a tensor, of a layer or of a weight that cannot be decoded. */
export interface TreeItem {
  readonly kind: 'tensor' | 'layer' | 'weight';
  readonly name: string;
}

/** Dimensions that the filter looks at. */
const SEARCHED_DIMENSIONS = 64;

/** A layer, or what stands beside layers. */
interface Root {
  readonly layer?: Layer;
  readonly members: readonly Member[];
}

/** Tensors grouped by layer: embeddings, layers as reported, the rest; else in file order. */
export class TreeModel {
  readonly layers: ReadonlyMap<string, Layer>;
  readonly tensors: ReadonlyMap<string, Tensor>;
  /** By name. */
  readonly weights: ReadonlyMap<string, UndecodedWeight>;
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
    const all = this.roots.flatMap(({ members }) => members);
    this.weights = new Map(
      all.flatMap(({ weight }) => (weight ? [[weight.name, weight] as const] : [])),
    );
  }

  /** What the list folds a tensor beneath: its layer, and the weight that it is a part of. */
  branchesOf({ layer, partOf }: Tensor): readonly string[] {
    const weight = partOf && this.weights.get(partOf.weight);
    return [...(layer ? [layer] : []), ...(weight ? [weight.name] : [])];
  }

  /**
   * The visible rows, and what all tensors that match come to. `isExpanded` says which layers and weights are open, by
   * name. A filter keeps the tensors that contain each of its words in name, type or shape.
   */
  view(isExpanded: (branch: string) => boolean, filter: string): TreeView {
    const words = filterWords(filter);
    const rows: TreeRow[] = [];
    const kept = this.roots
      .map(({ layer, members }) => ({ layer, members: this.matching(members, words) }))
      .filter(({ members }) => members.length > 0);
    kept.forEach(({ layer, members }, index) => {
      const place = { level: 1, position: index + 1, siblings: kept.length };
      if (!layer) {
        rows.push(...rowsOf(members[0], place, isExpanded));
        return;
      }
      const expanded = isExpanded(layer.name);
      rows.push({ ...place, kind: 'layer', layer, expanded, matches: countTensors(members) });
      if (!expanded) return;
      const siblings = members.length;
      members.forEach((member, at) => {
        rows.push(...rowsOf(member, { level: 2, position: at + 1, siblings }, isExpanded));
      });
    });
    const found = kept.flatMap(({ members }) => members.flatMap(({ tensors }) => tensors));
    return { rows, found: totalsOf(found) };
  }

  /** Members with the tensors that a filter keeps; all where it has no words. */
  private matching(members: readonly Member[], words: readonly string[]): readonly Member[] {
    if (words.length === 0) return members;
    return members.flatMap((member) => {
      const tensors = member.tensors.filter((tensor) => this.matches(tensor, words));
      return tensors.length > 0 ? [{ ...member, tensors }] : [];
    });
  }

  private matches(tensor: Tensor, words: readonly string[]): boolean {
    let haystack = this.haystacks.get(tensor);
    if (haystack === undefined) {
      const shape = (tensor.exactShape ?? tensor.shape).slice(0, SEARCHED_DIMENSIONS).join('x');
      const { name, layer, partOf } = tensor;
      const names = `${name}\n${layer}\n${partOf?.weight ?? ''}`;
      haystack = `${names}\n${nameStorage(tensor)}\n${shape}`.toLowerCase();
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
  if (row.kind === 'layer') return { kind: 'layer', name: row.layer.name };
  return row.kind === 'weight'
    ? { kind: 'weight', name: row.weight.name }
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

/** The row of a tensor, or that of a weight and those of its parts where it is open. */
function rowsOf(
  { weight, tensors, listName }: Member,
  place: Place,
  isExpanded: (branch: string) => boolean,
): TreeRow[] {
  if (!weight) {
    const [tensor] = tensors;
    return [{ ...place, kind: 'tensor', tensor, listName, type: nameStorage(tensor) }];
  }
  const expanded = isExpanded(weight.name);
  const siblings = tensors.length;
  const row: TreeRow = { ...place, kind: 'weight', weight, listName, expanded, matches: siblings };
  if (!expanded) return [row];
  const level = place.level + 1;
  return [
    row,
    ...tensors.map((tensor, at): TreeRow => {
      const own = { level, position: at + 1, siblings };
      return {
        ...own,
        kind: 'tensor',
        tensor,
        listName: nameBeneath(weight, tensor),
        type: tensor.dtype,
      };
    }),
  ];
}

/** "q_scale" beneath "self_attn.q_proj". */
function nameBeneath({ name: weight }: UndecodedWeight, { name }: Tensor): string {
  const module = weight.slice(0, weight.lastIndexOf('.') + 1);
  return name.startsWith(module) && name !== module ? name.slice(module.length) : name;
}

function countTensors(members: readonly Member[]): number {
  return members.reduce((sum, { tensors }) => sum + tensors.length, 0);
}

function nameInList({ nameInLayer, name }: Tensor): string {
  return nameInLayer || name;
}

/**
 * Tensors of a layer, or of none, as the list has them: where a weight that cannot be decoded has several parts, they
 * are one member.
 */
function makeMembers(tensors: readonly Tensor[]): Member[] {
  return groupParts(tensors).map((parts) => {
    const [first] = parts;
    const { partOf } = first;
    if (!partOf || parts.length === 1) return { tensors: parts, listName: nameInList(first) };
    const { weight: name, label } = partOf;
    const listName = nameWeightInLayer(first, name);
    return { tensors: parts, listName, weight: { name, label, parts } };
  });
}

function makeLayer(report: LayerReport, tensors: readonly Tensor[]): Layer {
  const members = makeMembers(tensors);
  const names = shortNames(members.map(({ listName }) => listName));
  const named = members.map((member, i) => ({ ...member, listName: names[i] }));
  const namesOfTensors = named.flatMap(({ weight, tensors: parts, listName }) =>
    parts.map((tensor) => [tensor, weight ? nameInList(tensor) : listName] as const),
  );
  return {
    name: report.layer,
    report,
    tensors,
    members: named,
    listNames: new Map(namesOfTensors),
  };
}

function* rootsInOrder(
  tensors: readonly Tensor[],
  layers: ReadonlyMap<string, Layer>,
): Generator<Root> {
  const outside = makeMembers(tensors.filter((tensor) => tensor.layer === ''));
  const isEmbedding = (member: Member) => member.tensors.some(({ role }) => role === 'embedding');
  // Embeddings come before the first layer, whatever the order of the file.
  for (const member of outside) if (isEmbedding(member)) yield { members: [member] };
  for (const layer of layers.values()) yield { layer, members: layer.members };
  for (const member of outside) if (!isEmbedding(member)) yield { members: [member] };
}
