import type { ChartContent } from '../components/chartFrame.js';
import { countOf, formatFixed, formatInteger } from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import type { Asymmetry } from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';

const signed = (value: number, decimals: number): string =>
  (value > 0 ? '+' : '') + formatFixed(value, decimals);

/** How lopsided the groups of a tensor are, from −1 (all negative) to +1 (all positive). */
export function asymmetryContent(asymmetry: Asymmetry): ChartContent {
  const bins = asymmetry.histogram;
  const width = 2 / bins.length;
  const edge = (index: number): string => signed(index * width - 1, 3);
  const describe = (index: number): string =>
    `${edge(index)} to ${edge(index + 1)}: ${countOf(bins[index], 'group')}`;
  return {
    height: 120,
    finding: `Asymmetry of groups: ${magnitudes(asymmetry)}; ${signs(asymmetry)}`,
    figure: (theme) => asymmetryFigure(asymmetry, theme),
    table: () => ({
      columns: ['From', 'To', 'Groups'],
      rows: bins.map((count, i) => [edge(i), edge(i + 1), formatInteger(count)]),
    }),
    readout: {
      count: bins.length,
      indexAt: (x) => Math.floor((x + 1) / width),
      middleOf: (index) => (index + 0.5) * width - 1,
      describe,
    },
  };
}

/** "|asymmetry| p50 0.077, p95 0.224": how lopsided groups are, whichever way. */
function magnitudes({ absolute: { p50, p95 } }: Asymmetry): string {
  return `|asymmetry| p50 ${formatFixed(p50, 3)}, p95 ${formatFixed(p95, 3)}`;
}

/** "with sign: mean −0.002, p50 −0.001, p95 +0.190": which way; what `inspect --stats` says. */
function signs({ mean, p50, p95 }: Asymmetry): string {
  return `with sign: mean ${signed(mean, 3)}, p50 ${signed(p50, 3)}, p95 ${signed(p95, 3)}`;
}

/** What stands below the chart, which marks ±p95 of the magnitude. */
export function asymmetryHint(asymmetry: Asymmetry): string {
  return `${magnitudes(asymmetry)} (dotted); ${signs(asymmetry)}`;
}

function asymmetryFigure({ histogram, absolute: { p95 } }: Asymmetry, theme: Theme): Figure {
  const width = 2 / histogram.length;
  const x = histogram.map((_, i) => (i + 0.5) * width - 1);
  const most = Math.max(1, ...histogram);
  // The axis ends where groups end, symmetrically, so that a narrow distribution is not a needle.
  const outermost = histogram.reduce((far, n, i) => (n ? Math.max(far, Math.abs(x[i])) : far), 0);
  const limit = Math.min(1, Math.max(outermost + width, p95 * 1.2, 4 * width));
  const mark = (at: number) => ({
    type: 'line' as const,
    x0: at,
    x1: at,
    y0: 0,
    y1: most * 1.05,
    line: { color: theme.foreground, width: 1, dash: 'dot' as const },
  });
  return {
    data: [
      {
        type: 'bar',
        x,
        y: histogram as number[],
        width,
        marker: {
          color: x.map((at) =>
            Math.abs(at) < width / 4
              ? theme.secondary
              : at < 0
                ? theme.negativeFill
                : theme.positiveFill,
          ),
          line: { width: 0 },
        },
      },
    ],
    layout: {
      bargap: 0,
      margin: { l: 56, r: 12, t: 6, b: 24 },
      shapes: p95 > 0 ? [mark(-p95), mark(p95)] : [],
      xaxis: { range: [-limit, limit], nticks: 7, zeroline: true },
      yaxis: { range: [0, most * 1.1], nticks: 4, tickformat: ',d' },
    },
  };
}
