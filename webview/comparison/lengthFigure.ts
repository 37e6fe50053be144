import type { Data } from 'plotly.js';
import type { ChartContent } from '../components/chartFrame.js';
import { formatFixed, formatInteger } from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import { escapeText } from '../components/plotText.js';
import type { ComparisonReport, FormatComparison } from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';
import { seriesStyles } from './seriesStyles.js';

/** What says in a format's name how long its calibration windows are. */
const CONTEXT = /:context=\d+/g;
/** Lengths that make a curve. */
const FEWEST = 3;

/** A format that was calibrated on windows of some length. */
interface Point {
  readonly context: number;
  readonly format: FormatComparison;
}

/** Formats that differ in the length of their calibration windows alone. */
export interface LengthSeries {
  /** Name without the length. */
  readonly id: string;
  /** Short to long. */
  readonly points: readonly Point[];
}

/** Formats of a report that were calibrated on windows of several lengths, as many as make a curve. */
export function lengthSeries({ formats }: ComparisonReport): readonly LengthSeries[] {
  const byName = new Map<string, Point[]>();
  for (const format of formats) {
    if (format.calibration === undefined || format.id.search(CONTEXT) < 0) continue;
    const id = format.id.replaceAll(CONTEXT, '');
    byName.set(id, [...(byName.get(id) ?? []), { context: format.calibration.context, format }]);
  }
  return [...byName].flatMap(([id, points]) =>
    points.length < FEWEST ? [] : [{ id, points: points.sort((a, b) => a.context - b.context) }],
  );
}

/** What the curve is of: perplexities where they were measured, else outputs. */
function valueOf({ perplexity, summary }: FormatComparison): number | undefined {
  return perplexity?.value ?? summary.outputSqnrDb;
}

/** A measure by the length of calibration windows (SLAC); undefined where no format has several lengths. */
export function lengthContent(report: ComparisonReport): ChartContent | undefined {
  const series = lengthSeries(report);
  if (series.length === 0) return undefined;
  const measure = report.baseline.perplexity ? 'perplexity' : 'output SQNR, dB';
  const contexts = [
    ...new Set(series.flatMap(({ points }) => points.map(({ context }) => context))),
  ].sort((a, b) => a - b);
  const text = (value: number | undefined): string =>
    value === undefined ? '–' : formatFixed(value, 2);
  const at = ({ points }: LengthSeries, context: number) =>
    points.find((point) => point.context === context)?.format;
  const valueAt = (one: LengthSeries, context: number): number | undefined => {
    const format = at(one, context);
    return format && valueOf(format);
  };
  return {
    height: 240,
    finding: `${measure} by the length of calibration windows, ${series.length} formats`,
    figure: (theme) => lengthFigure(series, theme),
    table: () => ({
      columns: ['Format', ...contexts.map((context) => `${formatInteger(context)} tokens`)],
      rows: series.map((one) => [
        one.id,
        ...contexts.map((context) => text(valueAt(one, context))),
      ]),
    }),
    readout: {
      count: contexts.length,
      indexAt: (x) =>
        contexts.reduce(
          (best, context, i) =>
            Math.abs(Math.log2(context) - x) < Math.abs(Math.log2(contexts[best]) - x) ? i : best,
          0,
        ),
      middleOf: (index) => Math.log2(contexts[index]),
      describe: (index) =>
        `${formatInteger(contexts[index])} tokens: ` +
        series.map((one) => `${one.id} ${text(valueAt(one, contexts[index]))}`).join('; '),
    },
  };
}

/** The name of what {@link lengthContent} shows. */
export function lengthNote({ baseline }: ComparisonReport): string {
  return baseline.perplexity
    ? 'perplexity, ± one standard error of the paired difference; the same number of tokens for each'
    : 'output SQNR, dB; the same number of tokens for each';
}

function lengthFigure(series: readonly LengthSeries[], theme: Theme): Figure {
  const styles = seriesStyles(
    series.map(({ id }) => id),
    theme,
  );
  const data = series.map(({ id, points }): Data => {
    const { color, symbol } = styles.get(id)!;
    return {
      type: 'scatter',
      mode: 'lines+markers',
      name: escapeText(id),
      x: points.map(({ context }) => Math.log2(context)),
      y: points.map(({ format }) => valueOf(format) ?? null),
      error_y: {
        type: 'data',
        array: points.map(({ format }) => format.perplexity?.deltaStandardError ?? 0),
        color: theme.axis,
        thickness: 1,
        width: 3,
      },
      line: { color, width: 1.4 },
      marker: { color, symbol, size: 8 },
    };
  });
  const ticks = [
    ...new Set(series.flatMap(({ points }) => points.map(({ context }) => context))),
  ].sort((a, b) => a - b);
  return {
    data,
    layout: {
      margin: { l: 56, r: 20, t: 10, b: 40 },
      xaxis: {
        title: { text: 'tokens of a calibration window' },
        tickvals: ticks.map((context) => Math.log2(context)),
        ticktext: ticks.map(formatInteger),
        range: [Math.log2(ticks[0]) - 0.3, Math.log2(ticks[ticks.length - 1]) + 0.3],
        zeroline: false,
      },
      yaxis: { nticks: 6, zeroline: false },
      showlegend: series.length > 1,
    },
  };
}
