import type { ListBounds, ModelListing } from '../jobs/inspection/listModel.js';
import type { TensorReport } from '../reports/reports.js';
import { formatCount, formatFixed, formatSignificant, formatSize } from './numbers.js';
import { visible } from '../storage/errors.js';
import { nameStorage, nameUndecoded } from '../reports/storedAs.js';
import { groupParts, nameWeightInLayer } from '../reports/weightParts.js';
import { shorten } from '../storage/shorten.js';
import { showName, showShape } from './shownNames.js';
import { formatTable } from './tables.js';
import type { Column } from './tables.js';

/** What a terminal shows of a model: all of any dense one; of the rest, `--json` lists everything. */
export const TERMINAL_BOUNDS: ListBounds = { tensors: 2000, layers: 2000 };

/** Characters of a line that are shown. */
const MAX_LINE = 1000;

/** Entries of metadata that are shown, and characters of a value: training tools write whole documents. */
const MAX_METADATA = 40;
const MAX_VALUE = 120;

/** What the table needs of one tensor of `inspect --json`. */
export interface InspectedTensor {
  readonly name: string;
  readonly stats?: {
    readonly min: number;
    readonly max: number;
    readonly mean: number;
    readonly std: number;
    readonly absMax: number;
    readonly zeros: number;
    readonly nan: number;
    readonly inf: number;
    readonly kurtosis: number;
    /** Type of 16 bits that every value of an F32 tensor is one of. */
    readonly holds?: string;
    readonly groups?: {
      readonly count: number;
      readonly size: number;
      readonly asymmetry: { readonly mean: number; readonly p50: number; readonly p95: number };
    };
  };
}

const BASE_COLUMNS: readonly Column[] = [
  { title: 'Tensor', align: 'left' },
  { title: 'Type', align: 'left' },
  { title: 'Shape', align: 'left' },
  { title: 'Size', align: 'right' },
];
const STATS_COLUMNS: readonly Column[] = [
  { title: 'min', align: 'right' },
  { title: 'max', align: 'right' },
  { title: 'mean', align: 'right' },
  { title: 'std', align: 'right' },
  { title: 'ex. kurtosis', align: 'right' },
  { title: 'zeros', align: 'right' },
  { title: 'NaN', align: 'right' },
  { title: 'Inf', align: 'right' },
  { title: 'asymmetry p50', align: 'right' },
  { title: 'p95', align: 'right' },
];

/** "F32", or "F32 (holds BF16)" where its values are all of a narrower type. */
function showType(tensor: TensorReport, stats: InspectedTensor['stats']): string {
  // Of parts, the line above says what they are parts of.
  const type = tensor.partOf ? tensor.dtype : nameStorage(tensor);
  // Decoded weights have few bits in any case.
  return stats?.holds === undefined || tensor.storage ? type : `${type} (holds ${stats.holds})`;
}

function statsCells(stats: InspectedTensor['stats']): string[] {
  if (!stats) return [];
  const asymmetry = stats.groups?.asymmetry;
  return [
    formatSignificant(stats.min),
    formatSignificant(stats.max),
    formatSignificant(stats.mean),
    formatSignificant(stats.std),
    formatFixed(stats.kurtosis, 3),
    formatCount(stats.zeros),
    formatCount(stats.nan),
    formatCount(stats.inf),
    asymmetry ? formatFixed(asymmetry.p50, 3) : '',
    asymmetry ? formatFixed(asymmetry.p95, 3) : '',
  ];
}

/** What the list is of: the path, and one line of what its configuration says. */
export interface InspectedModel {
  readonly path: string;
  readonly files: number;
  readonly architecture?: string;
  readonly configSummary?: string;
  readonly metadata: Readonly<Record<string, string>>;
}

function heading(model: InspectedModel, { all }: ModelListing): string {
  const files = `${formatCount(model.files)} ${model.files === 1 ? 'file' : 'files'}`;
  const matrices = all.undecoded === 1 ? 'matrix' : 'matrices';
  const undecoded =
    all.undecoded > 0
      ? ` and ${formatCount(all.undecoded)} ${matrices} that cannot be decoded`
      : '';
  const title = [model.path, model.architecture, model.configSummary].filter(Boolean).join('  ');
  return (
    `${shorten(title, MAX_LINE, visible)}\n` +
    `${formatCount(all.tensors)} tensors, ${formatCount(all.elements)} weights${undecoded}, ` +
    `${formatSize(all.bytes)} in ${files}\n`
  );
}

/** What the files say of themselves, as far as it fits: a line for each key. */
function metadataText(metadata: InspectedModel['metadata']): string {
  const keys = Object.keys(metadata);
  if (keys.length === 0) return '';
  const lines = keys
    .slice(0, MAX_METADATA)
    .map((key) => `  ${showName(key)}: ${shorten(metadata[key], MAX_VALUE, visible)}\n`);
  const left = keys.length - lines.length;
  const more = left > 0 ? `  … ${formatCount(left)} more; --json lists all\n` : '';
  return `Metadata:\n${lines.join('')}${more}`;
}

/** "9 tensors", or "2 of 9 tensors" where some were not asked for. */
function countText(shown: number, all: number): string {
  const of = shown < all ? `${formatCount(shown)} of ` : '';
  return `${of}${formatCount(all)} ${all === 1 ? 'tensor' : 'tensors'}`;
}

/**
 * The tensors of a model for people at a terminal: embeddings, layers, the rest.
 * @param statistics of the listed tensors by name, where they were asked for
 */
export function formatInspection(
  model: InspectedModel,
  listing: ModelListing,
  statistics?: ReadonlyMap<string, InspectedTensor['stats']>,
): string {
  const tensorRow = (tensor: TensorReport): string[] => [
    tensor.layer === '' ? showName(tensor.name) : `  ${showName(tensor.nameInLayer)}`,
    showType(tensor, statistics?.get(tensor.name)),
    showShape(tensor.exactShape ?? tensor.shape),
    formatSize(tensor.bytes),
    ...statsCells(statistics?.get(tensor.name)),
  ];
  const rowsOf = (tensors: readonly TensorReport[], indent: string): string[][] =>
    groupParts(tensors).flatMap((group) => {
      const [first] = group;
      const { partOf } = first;
      if (!partOf) return group.map(tensorRow);
      const { weight } = partOf;
      const name = nameWeightInLayer(first, weight);
      const bytes = group.reduce((sum, tensor) => sum + tensor.bytes, 0);
      return [
        [indent + showName(name), nameUndecoded(partOf), '', formatSize(bytes)],
        ...group.map((tensor) => {
          const [shown, ...cells] = tensorRow(tensor);
          return [`  ${shown}`, ...cells];
        }),
      ];
    });
  const { all, matching, embeddings, layers, rest, unlisted } = listing;
  const rows = rowsOf(embeddings, '');
  for (const { layer, tensors, bytes, matching: asked, listed } of layers) {
    rows.push([showName(layer), '', countText(asked, tensors), formatSize(bytes)]);
    rows.push(...rowsOf(listed, '  '));
    const more = asked - listed.length;
    if (more > 0 && listed.length > 0) rows.push([`  … ${formatCount(more)} more`]);
  }
  rows.push(...rowsOf(rest, ''));
  const withStats = [...(statistics?.values() ?? [])].some((stats) => stats !== undefined);
  const columns = withStats ? [...BASE_COLUMNS, ...STATS_COLUMNS] : BASE_COLUMNS;
  const verb = unlisted > 0 ? 'match' : 'shown';
  const filtered =
    matching < all.tensors
      ? `${formatCount(matching)} of ${formatCount(all.tensors)} ${verb}\n`
      : '';
  const left =
    unlisted > 0
      ? `\n${countText(unlisted, matching)} are not listed: --tensor GLOB chooses some, --json lists all\n`
      : '';
  return `${heading(model, listing)}${metadataText(model.metadata)}${filtered}\n${formatTable(columns, rows)}${left}`;
}
