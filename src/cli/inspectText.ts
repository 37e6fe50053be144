import type { CheckpointReport, TensorReport } from '../reports/reports.js';
import { formatCount, formatFixed, formatSignificant, formatSize } from './numbers.js';
import { visible } from '../storage/errors.js';
import { formatTable } from './tables.js';
import type { Column } from './tables.js';

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

function shapeText({ shape, exactShape }: TensorReport): string {
  return shape.length === 0 ? 'scalar' : (exactShape ?? shape).join(' × ');
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

function heading(report: CheckpointReport): string {
  const files = `${formatCount(report.files.length)} ${report.files.length === 1 ? 'file' : 'files'}`;
  const model = [report.path, report.architecture, report.configSummary].filter(Boolean).join('  ');
  return (
    `${visible(model)}\n` +
    `${formatCount(report.tensors.length)} tensors, ${formatCount(report.totalElements)} weights, ` +
    `${formatSize(report.totalBytes)} in ${files}\n`
  );
}

/** "9 tensors", or "2 of 9 tensors" where some are left out. */
function countText(shown: number, all: number): string {
  return `${shown < all ? `${formatCount(shown)} of ` : ''}${formatCount(all)} tensors`;
}

/**
 * The tensors of a model for people at a terminal: embeddings, layers, the rest.
 * @param inspected the tensors to show, with statistics where they were asked for
 */
export function formatInspection(
  report: CheckpointReport,
  inspected: readonly InspectedTensor[],
): string {
  const statsByName = new Map(inspected.map((tensor) => [tensor.name, tensor.stats]));
  const shown = report.tensors.filter(({ name }) => statsByName.has(name));
  const tensorRow = (tensor: TensorReport): string[] => [
    visible(tensor.layer === '' ? tensor.name : `  ${tensor.nameInLayer}`),
    tensor.dtype,
    shapeText(tensor),
    formatSize(tensor.bytes),
    ...statsCells(statsByName.get(tensor.name)),
  ];
  const outside = shown.filter(({ layer }) => layer === '');
  const inLayers = new Map(report.layers.map(({ layer }): [string, TensorReport[]] => [layer, []]));
  for (const tensor of shown) inLayers.get(tensor.layer)?.push(tensor);
  const rows = outside.filter(({ role }) => role === 'embedding').map(tensorRow);
  for (const { layer, tensors: count, bytes } of report.layers) {
    const tensors = inLayers.get(layer)!;
    if (tensors.length === 0) continue;
    rows.push([visible(layer), '', countText(tensors.length, count), formatSize(bytes)]);
    rows.push(...tensors.map(tensorRow));
  }
  rows.push(...outside.filter(({ role }) => role !== 'embedding').map(tensorRow));
  const withStats = inspected.some(({ stats }) => stats !== undefined);
  const columns = withStats ? [...BASE_COLUMNS, ...STATS_COLUMNS] : BASE_COLUMNS;
  const filtered =
    shown.length < report.tensors.length
      ? `${formatCount(shown.length)} of ${formatCount(report.tensors.length)} shown\n`
      : '';
  return `${heading(report)}${filtered}\n${formatTable(columns, rows)}`;
}
