import * as vscode from 'vscode';
import type { OpenedModel } from '../../checkpoint/types.js';
import { compareFormats } from '../../jobs/comparison/compareFormats.js';
import type { ComparisonReport } from '../../reports/reports.js';
import { fingerprintModel } from '../../model/scores/node/fingerprint.js';
import type { ComparisonState } from '../../reports/comparisonPage.js';
import { isCancelled } from '../../rpc/rpc.js';
import type { Progress } from '../../rpc/rpc.js';
import { comparedColumns, computeComparisonId } from './comparisonRequest.js';
import type { ComparisonRequest } from './comparisonRequest.js';
import { describeError } from '../../storage/describeError.js';
import { ModelSnapshot } from '../modelSnapshot.js';
import type { PerplexityMeter } from './perplexityMeter.js';
import type { GpuAccess } from '../gpu/gpuAccess.js';
import type { SharedPool } from '../sharedPool.js';

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

/** What runs have in common. */
export interface ComparisonMeans {
  readonly pool: SharedPool;
  readonly meter: PerplexityMeter;
  readonly gpu: GpuAccess;
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
    private readonly means: ComparisonMeans,
    known?: ComparisonResult,
    // A run that the window's end cut short can be run again; so it shows as cancelled.
    unfinished: 'running' | 'cancelled' = 'cancelled',
  ) {
    const { modelName, scope, perplexity, scaleDtype } = request;
    const formats = comparedColumns(request);
    const report = known?.report;
    this.fingerprint = known?.fingerprint;
    const hasWeights = this.knowsAll(report);
    const complete = report && hasWeights && (!perplexity || report.baseline.perplexity);
    this.current = {
      id: computeComparisonId(request),
      modelName,
      scope,
      formats,
      status: complete && unfinished === 'cancelled' ? 'done' : unfinished,
      phase: perplexity && hasWeights ? 'perplexity' : 'weights',
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

  /** True where a report has everything that is asked for but perplexities. */
  private knowsAll(report: ComparisonReport | undefined): boolean {
    const known = new Set(report?.formats.map(({ id }) => id));
    const { formats, against } = this.request;
    return formats.every((id) => known.has(id)) && (!against || report !== undefined);
  }

  cancel(): void {
    this.abort?.abort();
  }

  /**
   * Runs the job; its state says how it went, too.
   * @param opened the model, where it is open already; not kept, so that a later start opens it anew
   * @throws the job's error, an AbortError when it was cancelled
   */
  async start(opened?: ModelSnapshot): Promise<ComparisonReport> {
    this.cancel();
    const abort = new AbortController();
    this.abort = abort;
    const isCurrent = () => this.abort === abort;
    const update = (change: Partial<ComparisonState>) => {
      if (isCurrent()) this.update(change);
    };
    const { formats, tensors, scaleDtype, perplexity, resource, against, calibration } =
      this.request;
    let onProgress: (progress: Progress) => void = () => undefined;
    const begin = (phase: ComparisonState['phase'], report?: ComparisonReport) => {
      const cleared = { progress: undefined, secondsLeft: undefined, error: undefined };
      update({ status: 'running', phase, report, ...cleared });
      const startedAt = performance.now();
      onProgress = (progress) => {
        if (performance.now() - this.lastUpdate < UPDATE_MILLISECONDS) return;
        this.lastUpdate = performance.now();
        update({ progress, secondsLeft: secondsLeft(startedAt, progress) });
      };
    };
    try {
      // What is known stays in sight until it is replaced.
      const before = this.current.report;
      begin(this.knowsAll(before) ? 'perplexity' : 'weights', before);
      const { model } = await ModelSnapshot.current(vscode.Uri.parse(resource, true), opened);
      const other = against && (await openOther(against.resource));
      const fingerprint = await fingerprintBoth(model, other);
      const { pool, meter, gpu } = this.means;
      const report = await gpu.use((backends) =>
        compareFormats(
          {
            withPool: (job) => pool.use(job),
            measurePerplexity: (...measurement) => meter.measure(...measurement),
            measureOutputs: (...outputs) => meter.measureOutputs(...outputs),
          },
          model,
          {
            formats,
            against: other,
            tensors,
            scaleDtype,
            perplexity: perplexity && { ...perplexity, calibration, ...meter.settings() },
            calibration: { calibration, ...meter.settings() },
          },
          {
            signal: abort.signal,
            backends,
            onProgress: (progress) => onProgress(progress),
            known: fingerprint === this.fingerprint ? before : undefined,
            onPhase: (phase, weights) => {
              if (weights && isCurrent()) this.fingerprint = fingerprint;
              begin(phase, weights);
            },
          },
        ),
      );
      if (isCurrent()) this.fingerprint = fingerprint;
      update({ status: 'done', report, progress: undefined, secondsLeft: undefined });
      return report;
    } catch (error) {
      update(
        isCancelled(error)
          ? { status: 'cancelled', secondsLeft: undefined }
          : {
              status: 'failed',
              error: describeError(error),
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

  private update(change: Partial<ComparisonState>): void {
    this.current = { ...this.current, ...change };
    this.changed.fire(this.current);
  }
}

async function openOther(resource: string): Promise<OpenedModel> {
  return (await ModelSnapshot.open(vscode.Uri.parse(resource, true))).model;
}

/** Undefined where a change of either would not be noticed. */
async function fingerprintBoth(
  model: OpenedModel,
  other: OpenedModel | undefined,
): Promise<string | undefined> {
  const both = other ? [model, other] : [model];
  const found = await Promise.all(
    both.map((each) => fingerprintModel(each).catch(() => undefined)),
  );
  return found.every((each) => each !== undefined) ? found.join(' ') : undefined;
}

function secondsLeft(startedAt: number, { done, total }: Progress): number | undefined {
  const elapsed = (performance.now() - startedAt) / 1000;
  if (elapsed < FIRST_ESTIMATE_SECONDS || done <= 0) return undefined;
  return (elapsed * (total - done)) / done;
}
