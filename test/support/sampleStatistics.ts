import type { GroupRanges, Histogram, TensorStatistics } from '../../src/metrics/types.js';
import type { GroupRangesRequest, TensorDetails } from '../../src/reports/editorPage.js';
import { sampleTensor, sampleWeights } from './sampleModel.js';

/** Statistics and histogram of a tensor of the sample, the plain way. */
export function sampleDetails(name: string, bins: number): TensorDetails {
  const weights = sampleWeights(name);
  return { statistics: statisticsOf(weights), histogram: histogramOf(weights, bins) };
}

export function statisticsOf(weights: Float32Array): TensorStatistics {
  const n = weights.length;
  const sorted = weights.slice().sort();
  const mean = weights.reduce((sum, w) => sum + w, 0) / n;
  const moment = (power: number): number =>
    weights.reduce((sum, w) => sum + (w - mean) ** power, 0) / n;
  const std = Math.sqrt(moment(2));
  const quantile = (p: number): number => sorted[Math.round(p * (n - 1))];
  const probabilities = ['0.001', '0.01', '0.25', '0.5', '0.75', '0.99', '0.999'];
  return {
    count: n,
    min: sorted[0],
    max: sorted[n - 1],
    mean,
    std,
    absMax: Math.max(-sorted[0], sorted[n - 1]),
    skewness: moment(3) / std ** 3,
    kurtosis: moment(4) / std ** 4 - 3,
    zeros: weights.filter((w) => w === 0).length,
    nan: 0,
    inf: 0,
    distinct: new Set(weights).size,
    quantiles: Object.fromEntries(probabilities.map((p) => [p, quantile(Number(p))])),
  };
}

/** Bins of equal width with zero on an edge, as many as fit into `bins`. */
export function histogramOf(weights: Float32Array, bins: number): Histogram {
  const [min, max] = [Math.min(0, ...extremes(weights)), Math.max(0, ...extremes(weights))];
  const binWidth = (max - min) / (bins - 2) || 1;
  const first = Math.floor(min / binWidth);
  const counts = new Array<number>(Math.floor(max / binWidth) - first + 1).fill(0);
  for (const w of weights) counts[Math.floor(w / binWidth) - first]++;
  return { start: first * binWidth, binWidth, counts };
}

function extremes(weights: Float32Array): [number, number] {
  let [min, max] = [Infinity, -Infinity];
  for (const w of weights) {
    min = Math.min(min, w);
    max = Math.max(max, w);
  }
  return [min, max];
}

/** Per-group extremes of a tensor of the sample. */
export function sampleGroupRanges(request: GroupRangesRequest): GroupRanges {
  const { shape } = sampleTensor(request.tensor);
  const weights = sampleWeights(request.tensor);
  const columnsOfRow = shape.at(-1)!;
  const size = request.groupSize || columnsOfRow;
  const groupsPerRow = Math.ceil(columnsOfRow / size);
  const groupCount = (weights.length / columnsOfRow) * groupsPerRow;
  const positive: number[] = [];
  const negative: number[] = [];
  for (let row = 0; row < weights.length; row += columnsOfRow) {
    for (let column = 0; column < columnsOfRow; column += size) {
      const end = row + Math.min(column + size, columnsOfRow);
      const [min, max] = extremes(weights.subarray(row + column, end));
      positive.push(Math.max(0, max));
      negative.push(Math.max(0, -min));
    }
  }
  const firstGroup = request.firstGroup ?? 0;
  const shownGroups = Math.min(request.shownGroups ?? groupCount, groupCount - firstGroup);
  const count = Math.min(request.maxColumns, shownGroups);
  const edge = (index: number): number => firstGroup + Math.floor((index * shownGroups) / count);
  const columns = Array.from({ length: count }, (_, i) => ({
    firstGroup: edge(i),
    groups: edge(i + 1) - edge(i),
    positive: fiveNumbers(positive.slice(edge(i), edge(i + 1))),
    negative: fiveNumbers(negative.slice(edge(i), edge(i + 1))),
  }));
  const asymmetries = positive
    .map((p, i) => (p - negative[i]) / (p + negative[i]))
    .filter((a) => !Number.isNaN(a));
  const histogram = new Array<number>(64).fill(0);
  for (const a of asymmetries) histogram[Math.min(63, Math.floor((a + 1) * 32))]++;
  return {
    groupSize: size,
    groupsPerRow,
    groupCount,
    firstGroup,
    shownGroups,
    columns,
    asymmetry: {
      mean: asymmetries.reduce((sum, a) => sum + a, 0) / asymmetries.length,
      ...quantiles(asymmetries),
      absolute: quantiles(asymmetries.map(Math.abs)),
      histogram,
    },
  };
}

function quantiles(values: readonly number[]): { p50: number; p95: number } {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (p: number): number => sorted[Math.round(p * (sorted.length - 1))];
  return { p50: at(0.5), p95: at(0.95) };
}

function fiveNumbers(values: number[]): [number, number, number, number, number] {
  const sorted = values.sort((a, b) => a - b);
  const at = (p: number): number => sorted[Math.round(p * (sorted.length - 1))];
  return [at(0), at(0.1), at(0.5), at(0.9), at(1)];
}
