import type { QuantizationScheme } from '../../methods/schemes.js';
import type { ComparisonReport } from '../../reports/reports.js';
import { needsModel } from './compareSchemes.js';

/** What is to be found out, given what is known. */
export interface MissingFormats {
  /** What stays as it is; absent where everything is to be compared anew. */
  readonly known?: ComparisonReport;
  readonly missing: readonly QuantizationScheme[];
  /** True where outputs of layers are to be looked at. */
  readonly withOutputs: boolean;
}

/**
 * The schemes that a report lacks. Where outputs of layers are to be compared for the first time, those of formats that
 * are known are lacking, too.
 */
export function findMissing(
  known: ComparisonReport | undefined,
  schemes: readonly QuantizationScheme[],
): MissingFormats {
  const anew = { missing: schemes, withOutputs: schemes.some(needsModel) };
  if (!known || known.formats.length === 0) return anew;
  const ids = new Set(known.formats.map(({ id }) => id));
  const missing = schemes.filter(({ id }) => !ids.has(id));
  const hasOutputs = known.outputErrorText !== undefined;
  if (!hasOutputs && schemes.some(needsModel)) return anew;
  return { known, missing, withOutputs: hasOutputs };
}

/**
 * A report with these formats alone, in this order, as far as it has them. Another checkpoint that is compared like a
 * format stays first.
 * @param ids canonical names of schemes
 */
export function arrangeFormats(report: ComparisonReport, ids: readonly string[]): ComparisonReport {
  const byId = new Map(report.formats.map((format) => [format.id, format]));
  const others = report.formats.slice(0, report.against ? 1 : 0);
  return { ...report, formats: [...others, ...ids.flatMap((id) => byId.get(id) ?? [])] };
}

/** Formats that are known and those that were found beside them; timings are those of the latter. */
export function joinFormats(known: ComparisonReport, found: ComparisonReport): ComparisonReport {
  const { outputErrorText = known.outputErrorText } = found;
  return {
    ...known,
    ...(outputErrorText && { outputErrorText }),
    formats: [...known.formats, ...found.formats],
    notes: [...new Set([...known.notes, ...found.notes])],
    timings: found.timings,
  };
}

/** A report with the perplexities of the same formats from one before. */
export function withKnownPerplexities(
  report: ComparisonReport,
  before: ComparisonReport | undefined,
): ComparisonReport {
  if (!before?.baseline.perplexity) return report;
  const known = new Map(before.formats.map((format) => [format.id, format]));
  return {
    ...report,
    text: before.text,
    baseline: before.baseline,
    formats: report.formats.map((format) => {
      const perplexity = known.get(format.id)?.perplexity;
      return perplexity ? { ...format, perplexity } : format;
    }),
  };
}
