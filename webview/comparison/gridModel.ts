import { compareNames, shortNames } from '../components/names.js';
import type {
  ComparisonReport,
  Perplexity,
  TensorComparison,
} from '../components/protocolTypes.js';
import type { Aggregate, LayerGroup } from './layerAggregates.js';
import { aggregate, groupByLayer, signalEnergies } from './layerAggregates.js';
import type { GridMeasure, TensorMeasure } from './measures.js';
import { MEASURES, advantage } from './measures.js';
import { isWithinNoise } from './perplexity.js';
import type { Sorting } from './sorting.js';
import { sortRows } from './sorting.js';

/** The first column's name where rows are sorted by name. */
export const NAME_COLUMN = 'name';

/** Measures of one tensor, one layer or all tensors, by format. */
export type GridCell = Readonly<Record<TensorMeasure, number>> & {
  readonly sqnrIsLowerBound?: boolean;
  readonly rise?: Rise;
};

/** What quantizing these weights and no others adds to the perplexity. */
export interface Rise {
  readonly value: number;
  /** As it was measured; absent for a sum of single tensors' rises. */
  readonly measured?: Perplexity;
}

/** A cell's number; undefined where it has none. */
export function cellValue(cell: GridCell | undefined, measure: GridMeasure): number | undefined {
  return measure === 'perplexityRise' ? cell?.rise?.value : cell?.[measure];
}

/** True where a rise is as good as none. */
export function isNoise(cell: GridCell | undefined): boolean {
  const measured = cell?.rise?.measured;
  return measured !== undefined && isWithinNoise(measured);
}

function riseOf(measured: Perplexity | undefined): Rise | undefined {
  return measured && { value: measured.deltaVsBaseline, measured };
}

/** The rises of tensors one by one, added up; undefined unless all of them were measured. */
export function sumOfRises(tensors: readonly TensorComparison[]): number | undefined {
  let sum = 0;
  for (const { perplexityAlone } of tensors) {
    if (!perplexityAlone) return undefined;
    sum += perplexityAlone.deltaVsBaseline;
  }
  return sum;
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

/** All measures of a report as a tree: all weights, layers, tensors. */
export function gridTree(report: ComparisonReport): GridRow {
  const energies = signalEnergies(report);
  const byFormat = report.formats.map(
    ({ tensors }) => new Map(tensors.map((tensor) => [tensor.name, tensor])),
  );
  const cellsOf = (names: readonly string[], whole: boolean): (GridCell | undefined)[] =>
    byFormat.map((results, i): GridCell | undefined => {
      const found = names.flatMap((name): TensorComparison[] => {
        const result = results.get(name);
        return result ? [result] : [];
      });
      if (!found.length) return undefined;
      const total: Aggregate = aggregate(found, energies);
      if (whole) return { ...total, rise: riseOf(report.formats[i].perplexity) };
      const sum = sumOfRises(found);
      return sum === undefined ? total : { ...total, rise: { value: sum } };
    });
  const tensorRow = (name: string, label: string, level: number): GridRow => ({
    kind: 'tensor',
    name,
    label,
    level,
    cells: byFormat.map((results) => {
      const tensor = results.get(name);
      return tensor && { ...tensor, rise: riseOf(tensor.perplexityAlone) };
    }),
    children: [],
  });
  const layerRow = ({ name, tensors }: LayerGroup): GridRow => {
    if (tensors.length === 1 && tensors[0].name === tensors[0].nameInLayer) {
      return tensorRow(tensors[0].name, tensors[0].name, 2);
    }
    const labels = shortNames(tensors.map(({ nameInLayer }) => nameInLayer));
    return {
      kind: 'layer',
      name,
      label: name,
      level: 2,
      cells: cellsOf(
        tensors.map((tensor) => tensor.name),
        false,
      ),
      children: tensors.map((tensor, i) => tensorRow(tensor.name, labels[i], 3)),
    };
  };
  const children = groupByLayer(report).map(layerRow);
  return {
    kind: 'all',
    name: '',
    label: 'All weights quantized',
    level: 1,
    cells: cellsOf(children.flatMap(namesOf), true),
    children,
  };
}

function namesOf(row: GridRow): string[] {
  return row.kind === 'tensor' ? [row.name] : row.children.flatMap(namesOf);
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
  return sortRows(rows, key, sorting.direction, compareNames);
}

/**
 * What colours a cell: how much better it is than the reference; for a rise of perplexity, which is
 * a difference already, how much it lowers it.
 */
export function gainOf(
  measure: GridMeasure,
  cell: GridCell | undefined,
  base: GridCell | undefined,
): number {
  const value = cellValue(cell, measure);
  if (value === undefined) return 0;
  if (measure === 'perplexityRise') return cell!.rise!.measured && !isNoise(cell) ? -value : 0;
  return base === undefined ? 0 : advantage(measure, value, base[measure]);
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

/** The unit that {@link advantage} has, and a factor that makes numbers of it. */
export function advantageUnit(measure: GridMeasure): {
  readonly unit: string;
  readonly factor: number;
} {
  if (measure === 'rmseOverStep' || measure === 'perplexityRise') return { unit: '', factor: 1 };
  if (MEASURES[measure].id.endsWith('Fraction')) return { unit: 'points', factor: 100 };
  return { unit: 'dB', factor: 1 };
}
