import type { ChartContent } from '../components/chartFrame.js';
import {
  countOf,
  formatFixed,
  formatInteger,
  formatPrecision,
  formatWeight,
  weightDecimals,
} from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import type { Histogram, TensorDetails } from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';

export type CountScale = 'log' | 'linear';

/** Edges of equally wide bins; a tensor of one value only gets a bin wide enough to be seen. */
interface Bins {
  readonly start: number;
  readonly width: number;
  readonly counts: readonly number[];
}

function visibleBins({ start, binWidth, counts }: Histogram): Bins {
  if (binWidth > 0) return { start, width: binWidth, counts };
  const width = Math.abs(start) / 20 || 0.05;
  return { start: start - width / 2, width, counts };
}

/** The histogram of all weights: negative orange, positive blue, counts logarithmic or linear. */
export function histogramContent(details: TensorDetails, scale: CountScale): ChartContent {
  const bins = visibleBins(details.histogram);
  const decimals = weightDecimals(details.statistics.absMax) + 1;
  const edge = (index: number): string => formatWeight(bins.start + index * bins.width, decimals);
  const total = bins.counts.reduce((sum, count) => sum + count, 0);
  const describe = (index: number): string =>
    `${edge(index)} to ${edge(index + 1)}: ${countOf(bins.counts[index], 'weight')}, ` +
    `${formatFixed((bins.counts[index] / total) * 100, 2)} %`;
  return {
    height: 210,
    finding: findingOf(details),
    figure: (theme) => histogramFigure(bins, scale, theme),
    table: () => ({
      columns: ['From', 'To', 'Weights'],
      rows: bins.counts.map((count, i) => [edge(i), edge(i + 1), formatInteger(count)]),
    }),
    readout: {
      count: bins.counts.length,
      indexAt: (x) => Math.floor((x - bins.start) / bins.width),
      middleOf: (index) => bins.start + (index + 0.5) * bins.width,
      describe,
    },
  };
}

/** "bin width 0.0034, every weight counted". */
export function histogramNote({ histogram, statistics }: TensorDetails): string {
  if (histogram.binWidth <= 0) return 'a single value';
  const counted = statistics.approximation ?? 'every weight counted';
  return `bin width ${formatPrecision(histogram.binWidth, 2)}, ${counted}`;
}

function findingOf({ statistics: s }: TensorDetails): string {
  const decimals = weightDecimals(s.absMax);
  const weight = (value: number): string => formatWeight(value, decimals);
  const q = s.quantiles;
  const middle =
    '0.01' in q && '0.99' in q
      ? `, 98 % between ${weight(q['0.01'])} and ${weight(q['0.99'])}`
      : '';
  return `Histogram of ${countOf(s.count, 'weight')} from ${weight(s.min)} to ${weight(s.max)}${middle}`;
}

function histogramFigure({ start, width, counts }: Bins, scale: CountScale, theme: Theme): Figure {
  const x: number[] = [];
  const y: number[] = [];
  const colors: string[] = [];
  const tolerance = width * 1e-6;
  counts.forEach((count, i) => {
    if (count === 0) return;
    const from = start + i * width;
    x.push(from + width / 2);
    y.push(count);
    // A bin that holds weights of both signs belongs to neither colour.
    const negative = from + width <= tolerance;
    const positive = from >= -tolerance;
    colors.push(negative ? theme.negativeFill : positive ? theme.positiveFill : theme.secondary);
  });
  const most = Math.max(1, ...y);
  const log = scale === 'log';
  return {
    data: [{ type: 'bar', x, y, width, marker: { color: colors, line: { width: 0 } } }],
    layout: {
      bargap: 0,
      margin: { l: 56, r: 12, t: 6, b: 22 },
      xaxis: { range: [start, start + counts.length * width], nticks: 9, zeroline: true },
      yaxis: {
        type: log ? 'log' : 'linear',
        range: log ? [Math.log10(0.6), Math.log10(most * 1.5)] : [0, most * 1.05],
        ...(log ? { dtick: 1 } : { nticks: 6 }),
        tickformat: ',d',
      },
    },
  };
}
