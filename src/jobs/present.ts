import type { ComparisonReport } from './reports.js';

/** JSON with what JSON cannot hold as strings: "NaN", "Infinity", "-Infinity". */
export function comparisonJson(report: unknown): string {
  return JSON.stringify(
    report,
    (_, value: unknown) =>
      typeof value === 'number' && !Number.isFinite(value) ? String(value) : value,
    2,
  );
}

/** A CSV field; text that a spreadsheet would take for a formula is quoted with a leading apostrophe. */
function csvField(value: string | number): string {
  if (typeof value === 'number') return String(value);
  const text = /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

const MEASURES = [
  'mse',
  'rmse',
  'sqnrDb',
  'cosine',
  'maxAbsError',
  'rmseOverStep',
  'underflowFraction',
  'clippedFraction',
  'nonFinite',
] as const;

/**
 * A comparison as CSV: one line per format and tensor, after a line per format for all of them
 * ("*"). Full precision, RFC 4180 quoting.
 */
export function comparisonCsv(report: ComparisonReport): string {
  const lines: (string | number)[][] = [
    ['format', 'tensor', 'shape', 'parameters', 'bitsPerWeight', 'sizeBytes', ...MEASURES],
  ];
  for (const { id, bitsPerWeight, summary, tensors } of report.formats) {
    const parameters = tensors.reduce((sum, tensor) => sum + tensor.parameters, 0);
    const nonFinite = tensors.reduce((sum, tensor) => sum + tensor.nonFinite, 0);
    const total = { ...summary, rmse: Math.sqrt(summary.mse), nonFinite };
    lines.push([
      id,
      '*',
      '',
      parameters,
      bitsPerWeight,
      summary.sizeBytes,
      ...MEASURES.map((measure) => total[measure]),
    ]);
    for (const tensor of tensors) {
      lines.push([
        id,
        tensor.name,
        tensor.shape.join('x'),
        tensor.parameters,
        '',
        '',
        ...MEASURES.map((measure) => tensor[measure]),
      ]);
    }
  }
  return lines.map((line) => line.map(csvField).join(',')).join('\r\n') + '\r\n';
}
