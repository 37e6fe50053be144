import type { Data } from 'plotly.js';
import type { ChartContent } from '../components/chartFrame.js';
import { countOf, formatInteger, formatWeight, weightDecimals } from '../components/numbers.js';
import type { Figure } from '../components/plot.js';
import type { GroupRangeColumn, GroupRanges, Tensor } from '../components/protocolTypes.js';
import type { Theme } from '../components/theme.js';
import { withAlpha } from '../components/theme.js';
import { groupDirection } from './orientation.js';

/** Index of each quantile in a column's five numbers. */
const [LOWEST, LOW, MEDIAN, HIGH, HIGHEST] = [0, 1, 2, 3, 4] as const;

/** Where groups lie in their tensor as it is stored: "row 160, columns 640–767". */
export function groupPlace(tensor: Tensor, ranges: GroupRanges, first: number, count = 1): string {
  const { line, step, length } = groupDirection(tensor);
  const { groupsPerRow, groupSize } = ranges;
  const size = groupSize || length;
  const lineOf = (group: number): number => Math.floor(group / groupsPerRow);
  const start = (group: number): number => (group % groupsPerRow) * size;
  const end = (group: number): number => Math.min(length, start(group) + size) - 1;
  const last = first + count - 1;
  const at = (group: number): string => `${line} ${formatInteger(lineOf(group))}`;
  if (lineOf(first) === lineOf(last)) {
    return `${at(first)}, ${step}s ${formatInteger(start(first))}–${formatInteger(end(last))}`;
  }
  return (
    `${at(first)} ${step} ${formatInteger(start(first))} ` +
    `to ${at(last)} ${step} ${formatInteger(end(last))}`
  );
}

/** How many groups there are, and which are shown: "0–63 of 1,536 groups of 128", "96 columns". */
export function groupNote(tensor: Tensor, ranges: GroupRanges): string {
  const { groupCount, groupSize, groupsPerRow, firstGroup, shownGroups } = ranges;
  const what =
    groupSize === 0 || groupsPerRow === 1
      ? countOf(groupCount, groupDirection(tensor).line)
      : `${countOf(groupCount, 'group')} of ${formatInteger(groupSize)}`;
  if (shownGroups === groupCount) return what;
  const last = formatInteger(firstGroup + shownGroups - 1);
  return `${formatInteger(firstGroup)}–${last} of ${what}`;
}

/** Largest positive weights of groups above zero, most negative ones below, by columns of groups. */
export function groupContent(tensor: Tensor, ranges: GroupRanges): ChartContent {
  const { columns } = ranges;
  const absMax = Math.max(
    0,
    ...columns.map((column) => Math.max(column.positive[HIGHEST], column.negative[HIGHEST])),
  );
  const decimals = weightDecimals(absMax);
  const plus = (value: number): string => (value === 0 ? '0' : `+${formatWeight(value, decimals)}`);
  const minus = (value: number): string => formatWeight(value === 0 ? 0 : -value, decimals);
  return {
    height: 230,
    finding: findingOf(tensor, ranges, plus, minus),
    figure: (theme, width) => groupFigure(ranges, absMax, theme, width),
    table: () => ({
      columns: [
        'Groups',
        'Place',
        ...['lowest', '10 %', 'median', '90 %', 'highest'].map((name) => `Positive: ${name}`),
        ...['lowest', '10 %', 'median', '90 %', 'highest'].map((name) => `Negative: ${name}`),
      ],
      rows: columns.map((column) => [
        groupNumbers(column),
        groupPlace(tensor, ranges, column.firstGroup, column.groups),
        ...column.positive.map(plus),
        ...column.negative.map(minus),
      ]),
    }),
    readout: {
      count: columns.length,
      indexAt: (x) => columnAt(columns, x),
      middleOf: (index) => columns[index].firstGroup + columns[index].groups / 2,
      describe: (index) => {
        const { firstGroup, groups, positive, negative } = columns[index];
        const place = groupPlace(tensor, ranges, firstGroup, groups);
        const numbers = groupNumbers(columns[index]);
        if (groups === 1) {
          return `group ${numbers} (${place}): ${plus(positive[MEDIAN])} / ${minus(negative[MEDIAN])}`;
        }
        return (
          `groups ${numbers} (${place}): positive median ${plus(positive[MEDIAN])}, ` +
          `up to ${plus(positive[HIGHEST])}; negative median ${minus(negative[MEDIAN])}, ` +
          `down to ${minus(negative[HIGHEST])}`
        );
      },
    },
  };
}

function groupNumbers({ firstGroup, groups }: GroupRangeColumn): string {
  const first = formatInteger(firstGroup);
  return groups === 1 ? first : `${first}–${formatInteger(firstGroup + groups - 1)}`;
}

/** Binary search: columns tile what is shown in order. −1 outside. */
function columnAt(columns: readonly GroupRangeColumn[], x: number): number {
  let [low, high] = [0, columns.length - 1];
  while (low <= high) {
    const middle = (low + high) >> 1;
    const { firstGroup, groups } = columns[middle];
    if (x < firstGroup) high = middle - 1;
    else if (x >= firstGroup + groups) low = middle + 1;
    else return middle;
  }
  return -1;
}

function findingOf(
  tensor: Tensor,
  ranges: GroupRanges,
  plus: (value: number) => string,
  minus: (value: number) => string,
): string {
  const { columns } = ranges;
  if (columns.length === 0) return 'No groups';
  const largest = (side: 'positive' | 'negative'): GroupRangeColumn =>
    columns.reduce((best, column) => (column[side][HIGHEST] > best[side][HIGHEST] ? column : best));
  const [top, bottom] = [largest('positive'), largest('negative')];
  const place = (column: GroupRangeColumn): string =>
    groupPlace(tensor, ranges, column.firstGroup, column.groups);
  return (
    `Ranges of ${countOf(ranges.shownGroups, 'group')}: largest positive weight ` +
    `${plus(top.positive[HIGHEST])} in ${place(top)}; most negative ` +
    `${minus(bottom.negative[HIGHEST])} in ${place(bottom)}`
  );
}

function groupFigure(ranges: GroupRanges, absMax: number, theme: Theme, width: number): Figure {
  const { columns, firstGroup, shownGroups } = ranges;
  const exact = columns.every(({ groups }) => groups === 1);
  // Bars stand apart where there is room for a gap.
  const share = width / Math.max(1, columns.length) > 5 ? 0.82 : 1;
  const data = exact
    ? [
        ...bars(columns, 1, theme.positiveFill, share),
        ...bars(columns, -1, theme.negativeFill, share),
      ]
    : [...bands(columns, 1, theme.positive, theme), ...bands(columns, -1, theme.negative, theme)];
  const limit = absMax * 1.06 || 1;
  return {
    data,
    layout: {
      bargap: 0,
      barmode: 'overlay',
      margin: { l: 56, r: 12, t: 8, b: 26 },
      xaxis: { range: [firstGroup, firstGroup + shownGroups], tickformat: ',d', nticks: 8 },
      yaxis: { range: [-limit, limit], nticks: 7, zeroline: true },
    },
  };
}

function sideOf(column: GroupRangeColumn, sign: 1 | -1): GroupRangeColumn['positive'] {
  return sign > 0 ? column.positive : column.negative;
}

/** One bar a group, where every column is a single group. */
function bars(
  columns: readonly GroupRangeColumn[],
  sign: 1 | -1,
  color: string,
  width: number,
): Data[] {
  return [
    {
      type: 'bar',
      x: columns.map(({ firstGroup }) => firstGroup + 0.5),
      y: columns.map((column) => sign * sideOf(column, sign)[MEDIAN]),
      width,
      marker: { color, line: { width: 0 } },
    },
  ];
}

/** Pale band lowest–highest, band of the middle 80 %, line at the median; steps as wide as columns. */
function bands(
  columns: readonly GroupRangeColumn[],
  sign: 1 | -1,
  color: string,
  theme: Theme,
): Data[] {
  const last = columns.at(-1);
  const x = columns.map(({ firstGroup }) => firstGroup);
  if (last) x.push(last.firstGroup + last.groups);
  const steps = (quantile: number): number[] => {
    const y = columns.map((column) => sign * sideOf(column, sign)[quantile]);
    if (y.length) y.push(y[y.length - 1]);
    return y;
  };
  const line = (quantile: number, width: number, fill?: string): Data => ({
    type: 'scatter',
    mode: 'lines',
    x,
    y: steps(quantile),
    line: { shape: 'hv', width, color },
    ...(fill ? { fill: 'tonexty', fillcolor: fill } : {}),
  });
  // Fills say nothing alone in high contrast: the extremes get a line of their own there.
  const outline = theme.highContrast ? 0.75 : 0;
  return [
    line(LOWEST, 0),
    line(HIGHEST, outline, withAlpha(color, 0.3)),
    line(LOW, 0),
    line(HIGH, 0, withAlpha(color, 0.42)),
    line(MEDIAN, 1.4),
  ];
}
