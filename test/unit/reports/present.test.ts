// Perplexity reports as JSON.
import { describe, expect, it } from 'vitest';
import { formatPerplexityJson } from '../../../src/reports/present.js';
import type { CalibrationFinding, PerplexityReport } from '../../../src/reports/reports.js';

const finding: CalibrationFinding = {
  block: 0,
  tensors: ['q'],
  values: { alpha: 0.5 },
  scaling: { factors: [1, 2], inputMaxAbs: [3, 4], weightMaxAbs: [5, 6] },
};

function reportOf(findings: readonly CalibrationFinding[]): PerplexityReport {
  const calibration = { windows: 1, context: 2, tokens: 2, seconds: 1, findings };
  // Only what the function reads.
  return { formats: [{ id: 'int4:row' }, { id: 'int4:row+aqas', calibration }] } as never;
}

describe('a perplexity report as JSON', () => {
  it('has what methods chose, but not input by input', () => {
    const json = JSON.parse(formatPerplexityJson(reportOf([finding]))) as PerplexityReport;
    const [plain, { calibration, ...calibrated }] = json.formats;
    expect([plain, calibrated]).toEqual([{ id: 'int4:row' }, { id: 'int4:row+aqas' }]);
    expect(calibration?.findings).toEqual([{ block: 0, tensors: ['q'], values: { alpha: 0.5 } }]);
  });
});
