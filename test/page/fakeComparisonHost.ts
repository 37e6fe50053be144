import type { ComparisonHostApi, ComparisonState } from '../../src/reports/comparisonPage.js';
import type { ComparisonReport } from '../../src/reports/reports.js';
import type { Handlers } from '../../src/rpc/rpc.js';

/** A call the page made. */
export type Call = readonly [name: keyof ComparisonHostApi, argument: unknown];

export interface FakeComparisonHost {
  readonly handlers: Handlers<ComparisonHostApi>;
  readonly calls: Call[];
}

/** An extension host that shows one comparison and records what the page asks for. */
export function fakeComparisonHost(state: ComparisonState): FakeComparisonHost {
  const calls: Call[] = [];
  const record =
    (name: keyof ComparisonHostApi) =>
    async (argument: unknown): Promise<void> => {
      calls.push([name, argument]);
    };
  return {
    calls,
    handlers: {
      open: async () => state,
      cancel: record('cancel'),
      measurePerplexity: record('measurePerplexity'),
      addFormats: record('addFormats'),
      removeFormat: record('removeFormat'),
      moveFormat: record('moveFormat'),
      chooseBos: record('chooseBos'),
      runAgain: record('runAgain'),
      copyCsv: record('copyCsv'),
      saveJson: record('saveJson'),
      saveHtml: record('saveHtml'),
      copyText: record('copyText'),
      savePng: record('savePng'),
      revealTensor: record('revealTensor'),
      receiveFromGpu: record('receiveFromGpu'),
      gpuEnded: record('gpuEnded'),
    },
  };
}

/** The state of a comparison that is through. */
export function doneComparison(report: ComparisonReport): ComparisonState {
  return {
    modelName: 'quantscope-sample',
    scope: 'all linear weights',
    formats: report.formats.map(({ id }) => id),
    status: 'done',
    report,
  };
}
