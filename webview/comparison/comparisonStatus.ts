import type { TemplateResult } from 'lit';
import { html } from 'lit';
import type { ComparisonState } from '../../src/reports/comparisonPage.js';
import { checkIcon } from '../components/icons.js';
import '../components/messageBar.js';
import { countOf, formatFixed } from '../components/numbers.js';
import type { ComparisonReport } from '../components/protocolTypes.js';
import '../components/progressStrip.js';

/** What can be done about a run. */
export interface RunActions {
  readonly cancelling: boolean;
  cancel(): void;
  runAgain(): void;
  copy(text: string): void;
}

/** What a run works at. */
const LABELS = {
  weights: 'Comparing formats',
  calibration: 'Calibrating',
  perplexity: 'Measuring perplexity',
} as const;

/** Phases that a later run goes on with where this one stopped. */
const KEPT: Readonly<
  Partial<Record<NonNullable<ComparisonState['phase']>, { cancelled: string; kept: string }>>
> = {
  calibration: {
    cancelled: 'Calibration cancelled',
    kept: 'Finished layers are kept.',
  },
  perplexity: { cancelled: 'Perplexity cancelled', kept: 'What was scored is kept.' },
};

/** How the run stands: progress with Cancel, what ended it with Run Again, or what was done. */
export function renderStatus(comparison: ComparisonState, actions: RunActions): TemplateResult {
  return html`<div
    class="comparison-status ${comparison.status}"
    data-testid="comparison-status"
    data-status=${comparison.status}
  >
    ${renderContent(comparison, actions)}
  </div>`;
}

function renderContent(comparison: ComparisonState, actions: RunActions): TemplateResult {
  const again = { label: 'Run Again', run: () => actions.runAgain() };
  switch (comparison.status) {
    case 'running':
      return html`<qs-progress-strip
        label=${LABELS[comparison.phase ?? 'weights']}
        .progress=${withSubject(comparison)}
        .secondsLeft=${comparison.secondsLeft}
        .cancelling=${actions.cancelling}
        @cancel-work=${() => actions.cancel()}
      ></qs-progress-strip>`;
    case 'cancelled': {
      const { done = 0, total = 0 } = comparison.progress ?? {};
      const far = total > 0 ? ` at ${Math.round((done / total) * 100)} %` : '';
      const keeps = comparison.phase !== undefined && KEPT[comparison.phase];
      const text = keeps ? `${keeps.cancelled}${far}. ${keeps.kept}` : `Cancelled${far}.`;
      return html`<qs-message-bar
        .text=${text}
        .actions=${[keeps ? { ...again, label: 'Resume' } : again]}
      ></qs-message-bar>`;
    }
    case 'failed': {
      const error = comparison.error ?? 'The comparison failed.';
      return html`<qs-message-bar
        kind="error"
        .text=${error}
        .actions=${[again, { label: 'Copy', run: () => actions.copy(error) }]}
      ></qs-message-bar>`;
    }
    default:
      return html`<p class="done-line note" role="status">
        ${checkIcon}<span>${comparison.report ? summaryOf(comparison.report) : 'Done'}</span>
      </p>`;
  }
}

/** What is under way says what it is for. */
function withSubject({ progress, phase }: ComparisonState): ComparisonState['progress'] {
  if (phase !== 'perplexity' || !progress?.message) return progress;
  return { ...progress, message: `Perplexity: ${progress.message}` };
}

/** "28 tensors · 3,145,728 weights · 9 formats · 1.24 s on wasm, 2 threads". */
function summaryOf({ formats, timings }: ComparisonReport): string {
  const [first] = formats;
  return [
    ...(first
      ? [
          countOf(first.summary.tensors, 'tensor'),
          countOf(first.summary.parameters, 'weight'),
          countOf(formats.length, 'format'),
        ]
      : []),
    `${formatFixed(timings.totalSeconds, timings.totalSeconds < 10 ? 2 : 0)} s on ` +
      timings.backend +
      // Threads compute little beside a GPU.
      (timings.backend === 'webgpu' ? '' : `, ${countOf(timings.threads, 'thread')}`),
    ...(timings.backendReason ? [timings.backendReason] : []),
  ].join(' · ');
}
