import { makeLogHistogram } from '../../metrics/logHistogram.js';
import type { InputScaling, StepFinding } from '../../methods/types.js';
import type { CalibrationFinding, MovedRanges } from '../../reports/reports.js';

/** Bins of a histogram in a report. */
const BINS = 40;

/** Findings as reports have them: numbers of each input, of which a large model has millions, as histograms. */
export function describeFindings(findings: readonly StepFinding[]): CalibrationFinding[] {
  return findings.map(({ scaling, ...finding }) =>
    scaling ? { ...finding, ranges: describeRanges(scaling) } : finding,
  );
}

function describeRanges({ factors, inputMaxAbs, weightMaxAbs }: InputScaling): MovedRanges {
  const divided = inputMaxAbs.map((value, input) => value / factors[input]);
  const multiplied = weightMaxAbs.map((value, input) => value * factors[input]);
  return {
    inputs: makeLogHistogram([inputMaxAbs, divided], BINS),
    weights: makeLogHistogram([weightMaxAbs, multiplied], BINS),
    factors: makeLogHistogram([factors], BINS),
  };
}
