import type { ScaleDtype } from '../formats/index.js';
import {
  knownMeasure,
  MAIN_MEASURES,
  TABLE_MEASURES,
  WEIGHT_MEASURES,
  withOutputMeasures,
  type ErrorMeasures,
  type OutputMeasures,
  type WeightMeasure,
  type MeasureKind,
} from '../metrics/measures.js';
import type { ComparisonReport, TensorComparison } from '../reports/reports.js';
import {
  formatCount,
  formatFixed,
  formatPercent,
  formatScientific,
  formatSignificant,
  formatSizeIn,
  chooseSizeUnit,
} from './numbers.js';
import { formatNotes } from './notesText.js';
import { formatPerplexityTable, formatSigned, describeText } from './perplexityText.js';
import { visible } from '../storage/errors.js';
import { showName, showShape } from './shownNames.js';
import { formatTable } from './tables.js';
import { formatTimings } from './timingsText.js';
import type { Column } from './tables.js';

/** How many tensors per format are named as those that suffer most. */
const MAX_WORST = 3;

const right = (title: string): Column => ({ title, align: 'right' });
const left = (title: string): Column => ({ title, align: 'left' });

const NO_WEIGHTS = { tensors: 0, parameters: 0 };

/** How the terminal writes each kind of measure. */
const WRITERS: Readonly<
  Record<MeasureKind, { readonly unit?: string; readonly text: (value: number) => string }>
> = {
  decibels: { unit: 'dB', text: (value) => formatFixed(value, 2) },
  squaredError: { text: formatScientific },
  error: { text: formatSignificant },
  ratio: { text: (value) => formatFixed(value, 3) },
  share: { unit: '%', text: formatPercent },
  count: { text: formatCount },
};

function measureColumn(measure: WeightMeasure): Column {
  const { label, kind } = WEIGHT_MEASURES[measure];
  return right([label, WRITERS[kind].unit].filter(Boolean).join(', '));
}

function measureCell(measures: ErrorMeasures & OutputMeasures, measure: WeightMeasure): string {
  const value = knownMeasure(measures, measure);
  return value === undefined ? '–' : WRITERS[WEIGHT_MEASURES[measure].kind].text(value);
}

function formatHeading(report: ComparisonReport, scaleDtype: ScaleDtype): string {
  const { path, architecture, parameters, dtype } = report.model;
  const { tensors, parameters: weights } = report.formats[0]?.summary ?? NO_WEIGHTS;
  const model = architecture ? `${path}  ${architecture}` : path;
  const { against } = report;
  const other = against?.architecture ? `${against.path}  ${against.architecture}` : against?.path;
  const quantized = report.formats.length > (against ? 1 : 0);
  return (
    `${visible(model)}\n` +
    `${formatCount(tensors)} ${tensors === 1 ? 'tensor' : 'tensors'}, ` +
    `${formatCount(weights)} of ${formatCount(parameters)} weights, ${visible(dtype)}` +
    (quantized ? `; scales in ${scaleDtype.toUpperCase()}\n` : '\n') +
    (against && other ? `against ${visible(other)}, ${visible(against.dtype)}\n` : '')
  );
}

function formatsTable({ formats, outputErrorText }: ComparisonReport): string {
  const measures = withOutputMeasures(TABLE_MEASURES, outputErrorText !== undefined);
  const unit = chooseSizeUnit(formats.map(({ summary }) => summary.sizeBytes));
  return formatTable(
    [left('Format'), right('bits/weight'), ...measures.map(measureColumn), right(`size, ${unit}`)],
    formats.map(({ id, bitsPerWeight, summary }) => [
      id,
      formatFixed(bitsPerWeight, 3),
      ...measures.map((measure) => measureCell(summary, measure)),
      formatSizeIn(summary.sizeBytes, unit),
    ]),
  );
}

/** The tensors with the lowest SQNR; those that are not a number come first. */
function worstTensors(tensors: readonly TensorComparison[]): readonly TensorComparison[] {
  const rank = ({ sqnrDb }: TensorComparison) => (Number.isNaN(sqnrDb) ? -Infinity : sqnrDb);
  return [...tensors]
    .sort((one, other) => (rank(one) === rank(other) ? 0 : rank(one) < rank(other) ? -1 : 1))
    .slice(0, MAX_WORST);
}

function worstTable({ formats, outputErrorText }: ComparisonReport): string {
  const measures = withOutputMeasures(MAIN_MEASURES, outputErrorText !== undefined);
  const rows = formats.flatMap(({ id, tensors }) =>
    worstTensors(tensors).map((tensor, index) => [
      index === 0 ? id : '',
      showName(tensor.name),
      showShape(tensor.shape),
      ...measures.map((measure) => measureCell(tensor, measure)),
    ]),
  );
  return formatTable(
    [left('Lowest SQNR'), left('Tensor'), left('Shape'), ...measures.map(measureColumn)],
    rows,
  );
}

/** What output SQNR is about, where it was measured. */
function outputsSection({ outputErrorText: tokens }: ComparisonReport): string {
  if (!tokens) return '';
  return `\nOutput SQNR: outputs of each layer on ${formatCount(tokens.tokens)} tokens of ${visible(tokens.text ?? '')}, given the inputs that the unquantized model has. Output underflow: the share of weights that become zero in the squared error that weights add there.\n`;
}

/** Perplexities where they were measured: a row a format, then the tensors that cost most alone. */
function perplexitySection({ text, baseline, formats }: ComparisonReport): string {
  if (!text || !baseline.perplexity) return '';
  const rows = formats.flatMap(({ id, tensors }) =>
    findCostliest(tensors).map(({ tensor, alone }, index) => [
      index === 0 ? id : '',
      showName(tensor.name),
      formatSignificant(alone.value),
      formatSigned(alone.deltaVsBaseline),
      alone.deltaStandardError === null ? '–' : formatSignificant(alone.deltaStandardError),
    ]),
  );
  const columns = [
    left('Costliest alone'),
    left('Tensor'),
    right('perplexity'),
    right('Δ'),
    right('± s.e.'),
  ];
  return (
    `\n${describeText(text)}\n\n${formatPerplexityTable(baseline.perplexity, formats)}` +
    (rows.length > 0 ? `\n${formatTable(columns, rows)}` : '')
  );
}

/** The tensors that raise the perplexity most when they alone are quantized; NaN comes first. */
function findCostliest(tensors: readonly TensorComparison[]) {
  const rank = (delta: number) => (Number.isNaN(delta) ? Infinity : delta);
  return tensors
    .flatMap((tensor) =>
      tensor.perplexityAlone ? [{ tensor, alone: tensor.perplexityAlone }] : [],
    )
    .sort(({ alone: one }, { alone: other }) => {
      const [first, second] = [rank(one.deltaVsBaseline), rank(other.deltaVsBaseline)];
      return first === second ? 0 : first > second ? -1 : 1;
    })
    .slice(0, MAX_WORST);
}

/**
 * A comparison for people at a terminal: a row a format, then the tensors that suffer most, then
 * perplexities where there are any, then what the reader of the numbers must know. RMSE / step is 0.289 (1/√12) at best.
 */
export function formatComparison(report: ComparisonReport, scaleDtype: ScaleDtype): string {
  const { model, formats, notes, timings } = report;
  const general = [...model.notes, ...notes].map((note) => `${visible(note)}\n`).join('');
  const several = (formats[0]?.tensors.length ?? 0) > 1;
  return (
    `${formatHeading(report, scaleDtype)}\n` +
    formatsTable(report) +
    (several ? `\n${worstTable(report)}` : '') +
    outputsSection(report) +
    perplexitySection(report) +
    formatNotes(formats) +
    (general && `\n${general}`) +
    `\n${formatTimings(timings)}\n`
  );
}
