import type { Data } from 'plotly.js';
import type { ChartContent } from '../components/chartFrame.js';
import { countOf, formatInteger, formatPrecision } from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import type { CalibrationFinding } from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';

type LogHistogram = NonNullable<CalibrationFinding['ranges']>['inputs'];

/** What two histograms of one axis are called. */
const BEFORE_AFTER = ['before', 'after'] as const;

/** Largest magnitudes of inputs, or of their weights, before and after factors moved them. */
export function rangesContent(histogram: LogHistogram, what: string): ChartContent {
  const { first, step, counts, zeros } = histogram;
  const bins = counts[0].length;
  const edge = (index: number): string => formatPrecision(10 ** (first + index * step), 3);
  const none = zeros[0] > 0 ? `; ${countOf(zeros[0], 'input')} always zero` : '';
  const spread = (list: number): string => spreadText(histogram, list);
  const describe = (index: number): string =>
    `${edge(index)} to ${edge(index + 1)}: ` +
    BEFORE_AFTER.map((name, list) => `${formatInteger(counts[list][index])} ${name}`).join(', ');
  return {
    height: 200,
    finding: `${what}: largest is ${spread(0)} times the smallest before, ${spread(1)} times after${none}`,
    figure: (theme) => rangesFigure(histogram, theme),
    table: () => ({
      columns: ['From', 'To', 'Before', 'After'],
      rows: Array.from({ length: bins }, (_, i) => [
        edge(i),
        edge(i + 1),
        formatInteger(counts[0][i]),
        formatInteger(counts[1][i]),
      ]),
    }),
    readout: {
      count: bins,
      indexAt: (x) => (step > 0 ? Math.floor((x - first) / step) : 0),
      middleOf: (index) => first + (index + 0.5) * step,
      describe,
    },
  };
}

/** How many times the smallest the largest of a list is, as far as its bins tell. */
function spreadText({ step, counts }: LogHistogram, list: number): string {
  const filled = counts[list].flatMap((count, bin) => (count > 0 ? [bin] : []));
  if (filled.length === 0) return '–';
  return formatPrecision(10 ** ((filled[filled.length - 1] - filled[0]) * step), 2);
}

function rangesFigure({ first, step, counts }: LogHistogram, theme: Theme): Figure {
  const width = step > 0 ? step : 0.1;
  const edges = counts[0].flatMap((_, i) => [first + i * width, first + (i + 1) * width]);
  const line = (list: number): Data => ({
    type: 'scatter',
    mode: 'lines',
    x: edges,
    y: counts[list].flatMap((count) => [count, count]),
    line: {
      color: list === 0 ? theme.secondary : theme.positive,
      width: list === 0 ? 1.4 : 2,
      dash: list === 0 ? 'dot' : 'solid',
    },
    name: BEFORE_AFTER[list],
  });
  return {
    data: [line(0), line(1)],
    layout: {
      margin: { l: 46, r: 12, t: 6, b: 22 },
      xaxis: {
        range: [first - width / 2, first + (counts[0].length + 0.5) * width],
        ...powerTicks(first, first + counts[0].length * width),
        zeroline: false,
      },
      yaxis: { rangemode: 'tozero', nticks: 5, tickformat: ',d' },
    },
  };
}

/** Ticks of an axis that counts powers of ten, written as numbers. */
function powerTicks(from: number, to: number) {
  const span = to - from;
  const factors = span > 3 ? [1] : span > 1 ? [1, 3] : [1, 2, 5];
  const values: number[] = [];
  for (let power = Math.floor(from) - 1; power <= Math.ceil(to); power++) {
    for (const factor of factors) {
      const value = power + Math.log10(factor);
      if (value >= from && value <= to) values.push(value);
    }
  }
  const ticks = values.length > 0 ? values : [from];
  return { tickvals: ticks, ticktext: ticks.map((value) => formatPrecision(10 ** value, 1)) };
}

/** What GPTQ lost by input, neighbours together. */
export function lossContent(losses: readonly number[], inputsPerBin: number): ChartContent {
  const total = losses.reduce((sum, loss) => sum + loss, 0);
  const largest = losses.reduce((most, loss) => Math.max(most, loss), 0);
  const name = (bin: number): string =>
    inputsPerBin === 1
      ? `input ${formatInteger(bin)}`
      : `inputs ${formatInteger(bin * inputsPerBin)} to ${formatInteger((bin + 1) * inputsPerBin - 1)}`;
  const share = (loss: number): string =>
    total > 0 ? `${formatPrecision((loss / total) * 100, 2)} %` : '0 %';
  const worst = losses.indexOf(largest);
  return {
    height: 200,
    finding: `Loss by input, ${formatPrecision(total, 3)} in all; most from ${name(worst)}, ${share(largest)}`,
    figure: (theme) => ({
      data: [
        {
          type: 'bar',
          x: losses.map((_, bin) => (bin + 0.5) * inputsPerBin),
          y: [...losses],
          width: inputsPerBin,
          marker: { color: theme.positiveFill, line: { width: 0 } },
        },
      ],
      layout: {
        bargap: 0,
        margin: { l: 56, r: 12, t: 6, b: 22 },
        xaxis: { range: [0, losses.length * inputsPerBin], nticks: 9, zeroline: false },
        yaxis: { rangemode: 'tozero', nticks: 5, exponentformat: 'e' },
      },
    }),
    table: () => ({
      columns: ['Inputs', 'Loss', 'Share'],
      rows: losses.map((loss, bin) => [name(bin), formatPrecision(loss, 4), share(loss)]),
    }),
    readout: {
      count: losses.length,
      indexAt: (x) => Math.floor(x / inputsPerBin),
      middleOf: (bin) => (bin + 0.5) * inputsPerBin,
      describe: (bin) => `${name(bin)}: ${formatPrecision(losses[bin], 4)}, ${share(losses[bin])}`,
    },
  };
}
