import type { Data } from 'plotly.js';
import type { WeightMeasure } from '../../src/metrics/measures.js';
import type { ChartContent } from '../components/chartFrame.js';
import { shortestTails, visibleName } from '../components/names.js';
import { NO_NUMBER } from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import { escapeText } from '../components/plotText.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';
import type { GridRow } from './gridModel.js';
import type { ColumnFormat } from './measures.js';
import { MEASURES, bestOf, columnFormat } from './measures.js';
import { patternGround, seriesStyles } from './seriesStyles.js';

/** Pixels a label on the x axis needs at least. */
const LABEL_WIDTH = 74;

/** Bars start at zero; dots let the axis fit the values, since they claim no length. */
export type LayerMarks = 'bars' | 'dots';

export interface LayerChart {
  readonly report: ComparisonReport;
  readonly root: GridRow;
  readonly measure: WeightMeasure;
  readonly marks: LayerMarks;
  /** Formats left out, by canonical name. */
  readonly hidden: ReadonlySet<string>;
}

/** What stands side by side: layers, or the tensors of the only layer. */
export function chartRows(root: GridRow): readonly GridRow[] {
  const [only] = root.children;
  return root.children.length === 1 && only.kind === 'layer' ? only.children : root.children;
}

/** What the y axis counts: "SQNR, dB, higher is better". */
export function axisTitle(chart: LayerChart): string {
  const { label, better } = MEASURES[chart.measure];
  const { unit } = axisFormat(chart);
  return [label, unit, better && `${better} is better`].filter(Boolean).join(', ');
}

/** How the values of the formats shown are written together. */
function axisFormat({ root, report, measure, hidden }: LayerChart): ColumnFormat {
  const values = chartRows(root).flatMap((row) =>
    row.cells.flatMap((cell, i) =>
      cell && !hidden.has(report.formats[i].id) ? (cell[measure] ?? []) : [],
    ),
  );
  return columnFormat(measure, values);
}

/** The values of a measure by layer, a series a format. */
export function layerContent(chart: LayerChart): ChartContent {
  const { report, root, measure, hidden } = chart;
  const rows = chartRows(root);
  const shown = report.formats.flatMap((format, index) =>
    hidden.has(format.id) ? [] : [{ ...format, index }],
  );
  const valueAt = (row: GridRow, index: number): number | undefined => row.cells[index]?.[measure];
  const format = axisFormat(chart);
  const unit = format.unit ? ` ${format.unit}` : '';
  const kind = rows[0]?.kind === 'tensor' ? 'tensor' : 'layer';
  const describe = (row: GridRow): string =>
    `${visibleName(row.label)}: ` +
    shown.map(({ label, index }) => `${label} ${format.text(valueAt(row, index))}`).join(', ') +
    unit;
  return {
    height: 280,
    finding: findingOf(chart, kind, unit, (value) => format.text(value)),
    figure: (theme, width) => layerFigure(chart, rows, shown, theme, width),
    table: () => ({
      columns: [kind === 'layer' ? 'Layer' : 'Tensor', ...shown.map(({ label }) => label)],
      rows: rows.map((row) => [
        visibleName(row.label),
        ...shown.map(({ index }) => format.text(valueAt(row, index))),
      ]),
    }),
    readout: {
      count: rows.length,
      indexAt: (x) => Math.round(x),
      middleOf: (index) => index,
      describe: (index) => describe(rows[index]),
    },
  };
}

function findingOf(
  { root, report, measure, hidden }: LayerChart,
  kind: string,
  unit: string,
  text: (value: number | undefined) => string,
): string {
  const { spoken } = MEASURES[measure];
  const values = report.formats.map(({ id }, i) =>
    hidden.has(id) ? undefined : root.cells[i]?.[measure],
  );
  const best = bestOf(measure, values);
  const winner = report.formats[values.indexOf(best)];
  const overall =
    best === undefined || !winner
      ? ''
      : `; over all, ${winner.label} is best with ${text(best) || NO_NUMBER}${unit}`;
  return `${spoken} by ${kind} for ${report.formats.length - hidden.size} formats${overall}`;
}

function layerFigure(
  chart: LayerChart,
  rows: readonly GridRow[],
  shown: readonly { readonly id: string; readonly label: string; readonly index: number }[],
  theme: Theme,
  width: number,
): Figure {
  const { report, measure, marks } = chart;
  const styles = seriesStyles(
    report.formats.map(({ id }) => id),
    theme,
  );
  const { divisor } = axisFormat(chart);
  // Infinity (no error at all) cannot be drawn; the table and the readout say it.
  const y = (index: number): (number | null)[] =>
    rows.map((row) => {
      const value = row.cells[index]?.[measure];
      return value !== undefined && Number.isFinite(value) ? value / divisor : null;
    });
  const spread = (series: number): number => ((series + 0.5) / shown.length - 0.5) * 0.7;
  const data = shown.map(({ id, label, index }, series): Data => {
    const style = styles.get(id)!;
    const common = { name: escapeText(label), y: y(index) };
    if (marks === 'dots') {
      return {
        ...common,
        type: 'scatter',
        mode: 'markers',
        x: rows.map((_, i) => i + spread(series)),
        marker: {
          color: style.color,
          symbol: style.symbol,
          size: 8,
          line: { color: style.color, width: 1.4 },
        },
      };
    }
    const solid = style.pattern === '';
    return {
      ...common,
      type: 'bar',
      x: rows.map((_, i) => i),
      marker: {
        color: solid ? style.color : patternGround(style),
        line: { color: style.color, width: solid && !theme.highContrast ? 0 : 1 },
        ...(!solid && {
          pattern: {
            shape: style.pattern,
            fgcolor: style.color,
            bgcolor: patternGround(style),
            size: 6,
            solidity: 0.35,
          },
        }),
      },
    };
  });
  const every = Math.max(1, Math.ceil((rows.length * LABEL_WIDTH) / Math.max(1, width - 80)));
  const labels = shortestTails(rows.map(({ label }) => label));
  const ticks = rows.map((_, i) => i).filter((i) => i % every === 0);
  return {
    data,
    layout: {
      barmode: 'group',
      bargap: 0.22,
      bargroupgap: 0.08,
      xaxis: {
        range: [-0.6, rows.length - 0.4],
        tickvals: ticks,
        ticktext: ticks.map((i) => escapeText(axisLabel(labels[i]))),
        zeroline: false,
      },
      yaxis: {
        nticks: 7,
        // Powers would be set with style attributes, which the page's policy refuses.
        exponentformat: 'e',
        rangemode: marks === 'bars' ? 'tozero' : 'normal',
        tickformat: MEASURES[measure].kind === 'share' ? '.1~%' : '',
        zeroline: marks === 'bars',
      },
    },
  };
}

/** A name short enough for an axis; cut in front, since names of one model differ at the end. */
function axisLabel(label: string): string {
  const name = visibleName(label);
  return name.length > 16 ? `…${name.slice(-15)}` : name;
}
