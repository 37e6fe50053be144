import type { Annotation, Data } from 'plotly.js';
import type { ChartContent } from '../components/chartFrame.js';
import { formatFixed } from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import { escapeText } from '../components/plotText.js';
import type {
  ComparisonReport,
  FormatComparison,
  Perplexity,
} from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';
import { deltaDecimals } from './measures.js';
import { isWithinNoise, deltaText } from './perplexity.js';
import { seriesStyles } from './seriesStyles.js';

/** CSS pixels. */
const HEIGHT = 300;
const MARGIN = { left: 56, right: 70, top: 16, bottom: 40 };
/** Deltas further apart than this are drawn by ratio, */
const LOG_RATIO = 8;
/** those that may be none, which a scale of ratios has no place for, only where it must be. */
const NOISY_LOG_RATIO = 100;

/** A format in the chart. */
interface Point {
  readonly id: string;
  readonly label: string;
  readonly bits: number;
  readonly perplexity: Perplexity;
  /** True where no format has fewer bits and a lower perplexity. */
  readonly onFront: boolean;
}

/** Formats by bits per weight, with those that nothing beats in both. */
export function paretoPoints(formats: readonly FormatComparison[]): readonly Point[] {
  const known = formats
    .flatMap(({ id, label, bitsPerWeight: bits, perplexity }) =>
      perplexity && Number.isFinite(perplexity.value) ? [{ id, label, bits, perplexity }] : [],
    )
    .sort((a, b) => a.bits - b.bits || a.perplexity.value - b.perplexity.value);
  let lowest = Infinity;
  return known.map((point) => {
    const onFront = point.perplexity.value < lowest;
    lowest = Math.min(lowest, point.perplexity.value);
    return { ...point, onFront };
  });
}

/** Perplexity above the unquantized model against bits per weight; undefined for too few formats. */
export function paretoContent(report: ComparisonReport): ChartContent | undefined {
  const points = paretoPoints(report.formats);
  if (points.length < 2) return undefined;
  const deltas = points.map(({ perplexity }) => perplexity.deltaVsBaseline);
  const decimals = deltaDecimals(deltas);
  const sizes = [...new Set(points.map(({ bits }) => bits))];
  const front = points.filter(({ onFront }) => onFront).map(({ label }) => label);
  const deltaOf = (perplexity: Perplexity): string =>
    deltaText(perplexity, decimals) +
    (perplexity.deltaStandardError !== null && isWithinNoise(perplexity) ? ' (within noise)' : '');
  return {
    height: HEIGHT,
    finding:
      `Perplexity above the unquantized model against bits per weight, ${points.length} formats; ` +
      `fewest bits for their perplexity: ${front.join(', ')}`,
    figure: (theme, width) => paretoFigure(points, theme, width),
    table: () => ({
      columns: ['Format', 'bits per weight', 'perplexity', 'above unquantized', 'on the front'],
      rows: points.map(({ label, bits, perplexity, onFront }) => [
        label,
        formatFixed(bits, 3),
        formatFixed(perplexity.value, 2),
        deltaOf(perplexity),
        onFront ? 'yes' : '',
      ]),
    }),
    readout: {
      count: sizes.length,
      indexAt: (x) => nearest(sizes, x),
      middleOf: (index) => sizes[index],
      // Formats of equal size stand on one line, and are read together.
      describe: (index) =>
        `${formatFixed(sizes[index], 3)} bits per weight: ` +
        points
          .filter(({ bits }) => bits === sizes[index])
          .map(
            ({ label, perplexity }) =>
              `${label} ${formatFixed(perplexity.value, 2)}, ${deltaOf(perplexity)}`,
          )
          .join('; '),
    },
  };
}

function nearest(sizes: readonly number[], bits: number): number {
  const distance = (index: number): number => Math.abs(sizes[index] - bits);
  return sizes.reduce((best, _, i) => (distance(i) < distance(best) ? i : best), 0);
}

function paretoFigure(points: readonly Point[], theme: Theme, width: number): Figure {
  const styles = seriesStyles(
    points.map(({ id }) => id),
    theme,
  );
  const front = points.filter(({ onFront }) => onFront);
  const delta = ({ perplexity }: Point): number => perplexity.deltaVsBaseline;
  const stairs: Data = {
    type: 'scatter',
    mode: 'lines',
    x: front.map(({ bits }) => bits),
    y: front.map(delta),
    line: { shape: 'hv', color: theme.positive, width: 1.2 },
    showlegend: false,
  };
  const marks = {
    type: 'scatter',
    mode: 'markers',
    x: points.map(({ bits }) => bits),
    y: points.map(delta),
    error_y: {
      type: 'data',
      array: points.map(({ perplexity }) => perplexity.deltaStandardError ?? 0),
      color: theme.axis,
      thickness: 1,
      width: 3,
    },
    marker: {
      color: points.map(({ onFront }) => (onFront ? theme.positive : theme.background)),
      symbol: points.map(({ id }) => styles.get(id)!.symbol.replace(/-(open|dot)/g, '')),
      size: 9,
      line: {
        color: points.map(({ onFront }) => (onFront ? theme.positive : theme.secondary)),
        width: 1.4,
      },
    },
    showlegend: false,
  } as Data;
  const axes = axesOf(points, width);
  return {
    data: [stairs, marks],
    layout: {
      annotations: placeLabels(points, axes, theme),
      margin: { l: MARGIN.left, r: MARGIN.right, t: MARGIN.top, b: MARGIN.bottom },
      xaxis: {
        title: { text: 'bits per weight', font: { color: theme.secondary }, standoff: 6 },
        range: [...axes.x],
        showgrid: false,
        zeroline: false,
        nticks: 8,
      },
      yaxis: {
        type: axes.log ? 'log' : 'linear',
        range: [...axes.y],
        ...(axes.log ? logTicks(axes.y) : { nticks: 6 }),
        zeroline: !axes.log,
        exponentformat: 'e',
      },
    },
  };
}

/** Ticks at 1, 2 and 5 times powers of ten, written out. */
function logTicks([low, high]: Axes['y']): { tickvals: number[]; ticktext: string[] } {
  const tickvals: number[] = [];
  for (let power = Math.floor(low); power <= high; power++) {
    for (const digit of [1, 2, 5]) {
      const value = Number(`${digit}e${power}`);
      if (Math.log10(value) >= low && Math.log10(value) <= high) tickvals.push(value);
    }
  }
  return { tickvals, ticktext: tickvals.map((value) => `+${value}`) };
}

/** Ranges of the axes, those of a logarithmic one in powers of ten. */
interface Axes {
  readonly log: boolean;
  readonly x: readonly [number, number];
  readonly y: readonly [number, number];
  /** CSS pixels of the axes' inside. */
  readonly width: number;
  readonly height: number;
}

function padded(values: readonly number[], share: number): readonly [number, number] {
  const [least, most] = [Math.min(...values), Math.max(...values)];
  const room = (most - least || Math.abs(most) || 1) * share;
  return [least - room, most + room];
}

function axesOf(points: readonly Point[], width: number): Axes {
  const deltas = points.map(({ perplexity }) => perplexity.deltaVsBaseline);
  const errors = points.map(({ perplexity }) => perplexity.deltaStandardError ?? 0);
  const lowEnds = deltas.map((delta, index) => delta - errors[index]);
  const highEnds = deltas.map((delta, index) => delta + errors[index]);
  const [least, most] = [Math.min(...deltas), Math.max(...deltas)];
  // Formats of few bits lie far above the rest; a scale of ratios keeps both apart.
  const ratio = Math.min(...lowEnds) > 0 ? LOG_RATIO : NOISY_LOG_RATIO;
  const log = least > 0 && most / least > ratio;
  // Bars that reach far down, or to zero, end at the bottom.
  const bottoms = lowEnds.map((end) => Math.max(end, least / 2));
  return {
    log,
    x: padded(
      points.map(({ bits }) => bits),
      0.06,
    ),
    y: log
      ? padded([...bottoms, ...highEnds].map(Math.log10), 0.08)
      : padded([...lowEnds, ...highEnds, 0], 0.08),
    width: Math.max(1, width - MARGIN.left - MARGIN.right),
    height: HEIGHT - MARGIN.top - MARGIN.bottom,
  };
}

/**
 * Names beside their marks: those of the front first, each where it covers no other name and no
 * mark; the rest are read by pointing at them.
 */
function placeLabels(points: readonly Point[], axes: Axes, theme: Theme): Partial<Annotation>[] {
  const [low, high] = axes.y;
  const spots = points.map((point) => {
    const delta = point.perplexity.deltaVsBaseline;
    const y = axes.log ? Math.log10(delta) : delta;
    return {
      point,
      y,
      left: ((point.bits - axes.x[0]) / (axes.x[1] - axes.x[0])) * axes.width,
      top: ((high - y) / (high - low)) * axes.height,
    };
  });
  const taken: Box[] = spots.map(({ left, top }) => boxAt(left, top, 8, 8));
  const labels: Partial<Annotation>[] = [];
  const order = spots.toSorted((a, b) => Number(b.point.onFront) - Number(a.point.onFront));
  for (const { point, y, left, top } of order) {
    const width = point.label.length * theme.fontSize * 0.6;
    for (const [side, shift] of PLACES) {
      const box = boxAt(left + side * (width / 2 + 9), top - shift, width, theme.fontSize + 3);
      const inside = box.left >= 0 && box.right <= axes.width + MARGIN.right;
      if (!inside || taken.some((other) => overlaps(box, other))) continue;
      taken.push(box);
      labels.push({
        x: point.bits,
        y,
        text: escapeText(point.label),
        showarrow: false,
        xanchor: side > 0 ? 'left' : 'right',
        xshift: side * 9,
        yshift: shift,
        font: { color: point.onFront ? theme.foreground : theme.secondary },
      });
      break;
    }
  }
  return labels;
}

/** Where a name may stand: right or left of its mark, and how many pixels above it. */
const PLACES: readonly (readonly [side: 1 | -1, shift: number])[] = [
  [1, 9],
  [1, -9],
  [-1, 9],
  [-1, -9],
  [1, 22],
  [1, -22],
  [-1, 22],
  [-1, -22],
];

interface Box {
  readonly left: number;
  readonly right: number;
  readonly top: number;
  readonly bottom: number;
}

function boxAt(x: number, y: number, width: number, height: number): Box {
  return {
    left: x - width / 2,
    right: x + width / 2,
    top: y - height / 2,
    bottom: y + height / 2,
  };
}

function overlaps(a: Box, b: Box): boolean {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}
