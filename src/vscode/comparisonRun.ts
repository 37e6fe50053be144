import * as vscode from 'vscode';
import { compareFormats } from '../jobs/compare.js';
import type { ComparisonReport } from '../jobs/reports.js';
import type { ComparisonState } from '../protocol/comparison.js';
import { isCancelled } from '../protocol/rpc.js';
import type { Progress } from '../protocol/rpc.js';
import { comparisonId } from './comparisonRequest.js';
import type { ComparisonRequest } from './comparisonRequest.js';
import { messageOf } from './errors.js';
import { openModel } from './openModel.js';
import type { SharedPool } from './sharedPool.js';

/** An estimate before this is a guess. */
const FIRST_ESTIMATE_SECONDS = 2;
/** People read no faster, and each update crosses to the page. */
const UPDATE_MILLISECONDS = 100;

/** One comparison job: starts, can be cancelled, and tells how far it is. */
export class ComparisonRun {
  private readonly changed = new vscode.EventEmitter<ComparisonState>();
  readonly onDidChange = this.changed.event;

  private current: ComparisonState;
  private abort: AbortController | undefined;
  private lastUpdate = 0;

  constructor(
    readonly request: ComparisonRequest,
    private readonly pool: SharedPool,
    restored?: { readonly report?: ComparisonReport },
  ) {
    const { modelName, scope, formats } = request;
    // A run that the window's end cut short can be run again; so it shows as cancelled.
    const status = restored?.report ? 'done' : restored ? 'cancelled' : 'running';
    this.current = {
      id: comparisonId(request),
      modelName,
      scope,
      formats,
      status,
      report: restored?.report,
    };
  }

  get state(): ComparisonState {
    return this.current;
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
    const startedAt = performance.now();
    const update = (change: Partial<ComparisonState>) => {
      if (isCurrent()) this.update(change);
    };
    update({
      status: 'running',
      progress: undefined,
      secondsLeft: undefined,
      error: undefined,
      report: undefined,
    });
    try {
      const report = await this.measure(abort.signal, (progress) => {
        if (performance.now() - this.lastUpdate < UPDATE_MILLISECONDS) return;
        this.lastUpdate = performance.now();
        update({ progress, secondsLeft: secondsLeft(startedAt, progress) });
      });
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

  private async measure(
    signal: AbortSignal,
    onProgress: (progress: Progress) => void,
  ): Promise<ComparisonReport> {
    const { resource, formats, tensors, scaleDtype } = this.request;
    const { checkpoint } = await openModel(vscode.Uri.parse(resource, true));
    return this.pool.use((pool) =>
      compareFormats(pool, checkpoint, { formats, tensors, scaleDtype }, { signal, onProgress }),
    );
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
