import * as vscode from 'vscode';
import { compareFormats } from '../jobs/compare.js';
import type { ComparisonReport } from '../jobs/reports.js';
import { modelFingerprint } from '../model/fingerprint.js';
import type { ComparisonState } from '../protocol/comparison.js';
import { isCancelled } from '../protocol/rpc.js';
import type { CallOptions, Progress } from '../protocol/rpc.js';
import type { Checkpoint } from '../safetensors/index.js';
import { comparisonId } from './comparisonRequest.js';
import type { ComparisonRequest } from './comparisonRequest.js';
import { messageOf } from './errors.js';
import { openModel } from './openModel.js';
import { withoutPerplexity } from './perplexityMeter.js';
import type { PerplexityMeter } from './perplexityMeter.js';
import type { SharedPool } from './sharedPool.js';

/** An estimate before this is a guess. */
const FIRST_ESTIMATE_SECONDS = 2;
/** People read no faster, and each update crosses to the page. */
const UPDATE_MILLISECONDS = 100;

/** What a run before has left. */
export interface ComparisonResult {
  readonly report?: ComparisonReport;
  /** Tells whether the model is still the one that was read. */
  readonly fingerprint?: string;
}

/** One comparison job: starts, can be cancelled, and tells how far it is. */
export class ComparisonRun {
  private readonly changed = new vscode.EventEmitter<ComparisonState>();
  readonly onDidChange = this.changed.event;

  private current: ComparisonState;
  private abort: AbortController | undefined;
  private lastUpdate = 0;

  private fingerprint: string | undefined;

  constructor(
    readonly request: ComparisonRequest,
    private readonly pool: SharedPool,
    private readonly meter: PerplexityMeter,
    known?: ComparisonResult,
    // A run that the window's end cut short can be run again; so it shows as cancelled.
    unfinished: 'running' | 'cancelled' = 'cancelled',
  ) {
    const { modelName, scope, formats, perplexity, scaleDtype } = request;
    const report = known?.report;
    const complete = report && (!perplexity || report.baseline.perplexity);
    this.fingerprint = known?.fingerprint;
    this.current = {
      id: comparisonId(request),
      modelName,
      scope,
      formats,
      status: complete && unfinished === 'cancelled' ? 'done' : unfinished,
      phase: perplexity && (report || formats.length === 0) ? 'perplexity' : 'weights',
      measuresPerplexity: perplexity !== undefined,
      scaleDtype,
      report,
    };
  }

  get state(): ComparisonState {
    return this.current;
  }

  /** What there is to keep: the weights' comparison, too, where perplexity was not reached. */
  get result(): ComparisonResult {
    return { report: this.current.report, fingerprint: this.fingerprint };
  }

  cancel(): void {
    this.abort?.abort();
  }

  /**
   * Runs the job; its state says how it went, too.
   * @throws the job's error, an AbortError when it was cancelled
   */
  async start(): Promise<ComparisonReport> {
    this.cancel();
    const abort = new AbortController();
    this.abort = abort;
    const isCurrent = () => this.abort === abort;
    const update = (change: Partial<ComparisonState>) => {
      if (isCurrent()) this.update(change);
    };
    const { perplexity, resource } = this.request;
    // What is known of the weights stays in sight while the model runs.
    const before = perplexity && this.current.report && withoutPerplexity(this.current.report);
    const toReport = (phase: ComparisonState['phase'], weights?: ComparisonReport) => {
      const cleared = { progress: undefined, secondsLeft: undefined, error: undefined };
      update({ status: 'running', phase, report: weights, ...cleared });
      const startedAt = performance.now();
      return (progress: Progress) => {
        if (performance.now() - this.lastUpdate < UPDATE_MILLISECONDS) return;
        this.lastUpdate = performance.now();
        update({ progress, secondsLeft: secondsLeft(startedAt, progress) });
      };
    };
    try {
      const modelOnly = before || this.request.formats.length === 0;
      let onProgress = toReport(modelOnly ? 'perplexity' : 'weights', before);
      const { signal } = abort;
      const { checkpoint } = await openModel(vscode.Uri.parse(resource, true));
      let report = await this.weights(checkpoint, before, { signal, onProgress });
      if (perplexity) {
        onProgress = toReport('perplexity', report);
        const options = { signal, onProgress };
        report = await this.meter.measure(checkpoint, this.request, perplexity, report, options);
      }
      if (!report) throw new Error(vscode.l10n.t('There is nothing to compare.'));
      update({ status: 'done', report, progress: undefined, secondsLeft: undefined });
      return report;
    } catch (error) {
      update(
        isCancelled(error)
          ? { status: 'cancelled', secondsLeft: undefined }
          : {
              status: 'failed',
              error: messageOf(error),
              progress: undefined,
              secondsLeft: undefined,
            },
      );
      throw error;
    }
  }

  dispose(): void {
    this.cancel();
    this.changed.dispose();
  }

  /** Compares weights, unless that has been done; undefined where there is no format. */
  private async weights(
    checkpoint: Checkpoint,
    known: ComparisonReport | undefined,
    options: CallOptions,
  ): Promise<ComparisonReport | undefined> {
    const { formats, tensors, scaleDtype } = this.request;
    if (formats.length === 0) return undefined;
    // Without a configuration there is none; then it is a comparison of weights and nothing else.
    const fingerprint = await modelFingerprint(checkpoint).catch(() => undefined);
    if (known && fingerprint === this.fingerprint) return known;
    const report = await this.pool.use((pool) =>
      compareFormats(pool, checkpoint, { formats, tensors, scaleDtype }, options),
    );
    this.fingerprint = fingerprint;
    return report;
  }

  private update(change: Partial<ComparisonState>): void {
    this.current = { ...this.current, ...change };
    this.changed.fire(this.current);
  }
}

function secondsLeft(startedAt: number, { done, total }: Progress): number | undefined {
  const elapsed = (performance.now() - startedAt) / 1000;
  if (elapsed < FIRST_ESTIMATE_SECONDS || done <= 0) return undefined;
  return (elapsed * (total - done)) / done;
}
