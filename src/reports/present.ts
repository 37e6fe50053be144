import { ALL_MEASURES, OUTPUT_MEASURES } from '../metrics/measures.js';
import type { Perplexity } from '../model/scores/perplexity.js';
import { formatCsv } from './csv.js';
import { escapeUnseen } from './jsonParts.js';
import type { ComparisonReport } from './reports.js';

/**
 * JSON that ends in a line break, with what JSON cannot hold as strings: "NaN", "Infinity", "-Infinity".
 * Control and direction characters of names are escaped, so that it can be looked at in a terminal.
 */
export function formatReportJson(report: unknown): string {
  return `${escapeUnseen(JSON.stringify(report, replaceNonFinite, 2))}\n`;
}

function replaceNonFinite(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}

const PERPLEXITY_COLUMNS = [
  'perplexity',
  'perplexityStandardError',
  'deltaVsBaseline',
  'deltaStandardError',
  'klDivergence',
  'topTokenAgreement',
  'reverseKlDivergence',
  'cakld',
];

/** Fields of {@link PERPLEXITY_COLUMNS}; empty where it was not measured. */
function perplexityFields(perplexity: Perplexity | undefined): (string | number)[] {
  if (!perplexity) return PERPLEXITY_COLUMNS.map(() => '');
  const { value, standardError, deltaVsBaseline, deltaStandardError } = perplexity;
  const { klDivergence, topTokenAgreement, reverseKlDivergence, cakld } = perplexity;
  const all = [value, standardError, deltaVsBaseline, deltaStandardError];
  return [...all, klDivergence, topTokenAgreement, reverseKlDivergence, cakld].map(
    (each) => each ?? '',
  );
}

/**
 * A comparison as CSV: one line per format and tensor, after a line per format for all of them
 * ("*"). Where the model was run, columns of its perplexity with these tensors quantized follow.
 * Full precision, RFC 4180 quoting.
 */
export function formatComparisonCsv(report: ComparisonReport): string {
  const measured = report.baseline.perplexity !== undefined;
  const hasOutputs = report.outputErrorText !== undefined;
  const measures = [...ALL_MEASURES, ...(hasOutputs ? OUTPUT_MEASURES : [])];
  const columns = ['format', 'tensor', 'shape', 'parameters', 'bitsPerWeight', 'sizeBytes'];
  const lines: (string | number)[][] = [
    [...columns, ...measures, ...(measured ? PERPLEXITY_COLUMNS : [])],
  ];
  for (const { id, bitsPerWeight, summary, tensors, perplexity } of report.formats) {
    lines.push([
      id,
      '*',
      '',
      summary.parameters,
      bitsPerWeight,
      summary.sizeBytes,
      ...measures.map((measure) => summary[measure] ?? ''),
      ...(measured ? perplexityFields(perplexity) : []),
    ]);
    for (const tensor of tensors) {
      lines.push([
        id,
        tensor.name,
        tensor.shape.join('x'),
        tensor.parameters,
        '',
        '',
        ...measures.map((measure) => tensor[measure] ?? ''),
        ...(measured ? perplexityFields(tensor.perplexityAlone) : []),
      ]);
    }
  }
  return formatCsv(lines);
}
