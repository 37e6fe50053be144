import {
  knownMeasure,
  type ErrorMeasures,
  type OutputMeasures,
} from '../../src/metrics/measures.js';
import { sortNaturally } from '../../src/reports/naturalOrder.js';
import { shortNames } from '../components/names.js';
import type {
  ComparisonReport,
  LayerComparison,
  Perplexity,
  TensorComparison,
} from '../components/protocolTypes.js';
import type { GridMeasure } from './measures.js';
import { advantage, isAloneMeasure } from './measures.js';
import { isWithinNoise } from './perplexity.js';
import type { Sorting } from './sorting.js';
import { sortRows } from './sorting.js';

/** The first column's name where rows are sorted by name. */
export const NAME_COLUMN = 'name';

/** Measures of one tensor, one layer or all tensors, by format. */
export type GridCell = ErrorMeasures &
  OutputMeasures & {
    readonly delta?: Delta;
    /** Of the model with these weights and no others quantized. */
    readonly model?: ModelMeasures;
  };

/** What quantizing some weights does to the model's predictions. */
export interface ModelMeasures {
  readonly klDivergence?: number;
  readonly topTokenAgreement?: number;
  /** True where it is added up from single tensors, which is near what they come to together. */
  readonly isSum: boolean;
}

/** What quantizing these weights and no others adds to the perplexity. */
export interface Delta {
  readonly value: number;
  /** As it was measured; absent for a sum of single tensors' deltas. */
  readonly measured?: Perplexity;
}

/** A cell's number; undefined where it has none. */
export function cellValue(cell: GridCell | undefined, measure: GridMeasure): number | undefined {
  if (!isAloneMeasure(measure)) return cell && knownMeasure(cell, measure);
  return measure === 'perplexityDelta' ? cell?.delta?.value : cell?.model?.[measure];
}

/** True where a cell's number is added up from those of single tensors. */
export function isSumOfAlone(cell: GridCell | undefined, measure: GridMeasure): boolean {
  if (!cell || !isAloneMeasure(measure)) return false;
  if (measure !== 'perplexityDelta') return cell.model?.isSum === true;
  return cell.delta !== undefined && cell.delta.measured === undefined;
}

function modelMeasures(perplexity: Perplexity | undefined): ModelMeasures | undefined {
  if (!perplexity) return undefined;
  const { klDivergence, topTokenAgreement } = perplexity;
  return { klDivergence, topTokenAgreement, isSum: false };
}

/** True where a delta is as good as none. */
export function isNoise(cell: GridCell | undefined): boolean {
  const measured = cell?.delta?.measured;
  return measured !== undefined && isWithinNoise(measured);
}

function deltaOf(measured: Perplexity | undefined): Delta | undefined {
  return measured && { value: measured.deltaVsBaseline, measured };
}

/** A line of the table; `cells` are parallel to the formats, absent where a format skips it. */
export interface GridRow {
  readonly kind: 'all' | 'layer' | 'tensor';
  /** The layer's or the tensor's full name. */
  readonly name: string;
  readonly label: string;
  readonly level: number;
  readonly cells: readonly (GridCell | undefined)[];
  readonly children: readonly GridRow[];
}

/** All measures of a report as a tree: all weights, layers, tensors; as reported, in counting order. */
export function gridTree(report: ComparisonReport): GridRow {
  const { formats } = report;
  const byName = formats.map(
    ({ tensors }) => new Map(tensors.map((tensor) => [tensor.name, tensor])),
  );
  const byLayer = formats.map(({ layers }) => new Map(layers.map((layer) => [layer.layer, layer])));
  const tensorRow = (name: string, label: string, level: number): GridRow => ({
    kind: 'tensor',
    name,
    label,
    level,
    cells: byName.map((tensors) => tensorCell(tensors.get(name))),
    children: [],
  });
  const layerRow = (layer: string, tensors: readonly TensorComparison[]): GridRow => {
    const labels = shortNames(tensors.map(({ nameInLayer }) => nameInLayer));
    return {
      kind: 'layer',
      name: layer,
      label: layer,
      level: 2,
      cells: byLayer.map((layers, format) =>
        layerCell(
          layers.get(layer),
          tensors.map(({ name }) => byName[format].get(name)),
        ),
      ),
      children: tensors.map(({ name }, i) => tensorRow(name, labels[i], 3)),
    };
  };
  // Formats of one report are of the same tensors, unless it was read from elsewhere.
  const tensors = new Map(byName.flatMap((each) => [...each]));
  const outside: TensorComparison[] = [];
  const inLayers = new Map<string, TensorComparison[]>();
  for (const tensor of tensors.values()) {
    const members = tensor.layer === '' ? outside : inLayers.get(tensor.layer);
    if (members) members.push(tensor);
    else inLayers.set(tensor.layer, [tensor]);
  }
  return {
    kind: 'all',
    name: '',
    label: report.against ? 'All weights' : 'All weights quantized',
    level: 1,
    cells: formats.map(({ summary, perplexity }) => ({
      ...summary,
      delta: deltaOf(perplexity),
      model: modelMeasures(perplexity),
    })),
    children: sortNaturally(
      [
        ...[...inLayers].map(([layer, members]) => layerRow(layer, members)),
        ...outside.map(({ name, nameInLayer }) => tensorRow(name, nameInLayer || name, 2)),
      ],
      ({ label }) => label,
    ),
  };
}

function tensorCell(tensor: TensorComparison | undefined): GridCell | undefined {
  if (!tensor) return undefined;
  const { perplexityAlone } = tensor;
  return { ...tensor, delta: deltaOf(perplexityAlone), model: modelMeasures(perplexityAlone) };
}

/** @param tensors of the layer in the format */
function layerCell(
  layer: LayerComparison | undefined,
  tensors: readonly (TensorComparison | undefined)[],
): GridCell | undefined {
  if (layer?.sumOfDeltasAlone === undefined) return layer;
  const divergences = tensors.map((tensor) => tensor?.perplexityAlone?.klDivergence);
  const isKnown = divergences.every((value) => value !== undefined);
  const klDivergence = isKnown ? divergences.reduce((sum, value) => sum + value, 0) : undefined;
  return {
    ...layer,
    delta: { value: layer.sumOfDeltasAlone },
    model: { klDivergence, isSum: true },
  };
}

/** The tensors of a tree, under their full names. */
export function flatRows(root: GridRow): GridRow[] {
  const rows = root.children.flatMap((row) => (row.kind === 'tensor' ? [row] : row.children));
  return rows.map((row) => ({ ...row, label: row.name, level: 2 }));
}

export interface GridOrder {
  readonly measure: GridMeasure;
  readonly sorting?: Sorting;
  /** Formats in the order of the cells; a sorting's column is one of them or the name. */
  readonly formats: readonly string[];
}

/** The visible rows: the whole first, then layers with their open tensors, or all tensors. */
export function visibleGridRows(
  root: GridRow,
  order: GridOrder,
  expanded: ReadonlySet<string>,
  flat: boolean,
): GridRow[] {
  if (flat) return [root, ...sorted(flatRows(root), order)];
  const children = sorted(root.children, order).flatMap((row) =>
    row.kind === 'layer' && expanded.has(row.name) ? [row, ...sorted(row.children, order)] : [row],
  );
  return [root, ...children];
}

function sorted(
  rows: readonly GridRow[],
  { sorting, formats, measure }: GridOrder,
): readonly GridRow[] {
  if (!sorting) return rows;
  const index = formats.indexOf(sorting.column);
  const key = (row: GridRow): number | string | undefined =>
    sorting.column === NAME_COLUMN ? row.label : cellValue(row.cells[index], measure);
  return sortRows(rows, key, sorting.direction);
}

/**
 * What colours a cell: how much better it is than the reference; for a perplexity delta, which is
 * a difference already, how much it lowers it.
 */
export function gainOf(
  measure: GridMeasure,
  cell: GridCell | undefined,
  base: GridCell | undefined,
): number {
  const value = cellValue(cell, measure);
  if (value === undefined) return 0;
  if (measure === 'perplexityDelta') return cell!.delta!.measured && !isNoise(cell) ? -value : 0;
  const reference = cellValue(base, measure);
  return reference === undefined ? 0 : advantage(measure, value, reference);
}

/**
 * The difference to the reference format that gets the strongest colour: four fifths of all are
 * smaller, so that one format far off does not leave the others without a shade.
 */
export function colorSpan(root: GridRow, measure: GridMeasure, reference: number): number {
  const gains: number[] = [];
  const visit = (row: GridRow): void => {
    const base = row.cells[reference];
    for (const cell of row.cells) {
      const gain = Math.abs(gainOf(measure, cell, base));
      if (Number.isFinite(gain) && gain > 0) gains.push(gain);
    }
    row.children.forEach(visit);
  };
  visit(root);
  gains.sort((a, b) => a - b);
  return gains[Math.floor(gains.length * 0.8)] ?? 0;
}
