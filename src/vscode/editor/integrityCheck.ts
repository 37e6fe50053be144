import type { OpenedModel } from '../../checkpoint/types.js';
import type { WorkerPool } from '../../compute/workerPool.js';
import { checkModel } from '../../jobs/check/checkModel.js';
import { describeCheck } from '../../jobs/check/describeCheck.js';
import type { CheckReport, Finding } from '../../reports/checkReport.js';
import { formatFindingsCsv, formatFindingsJson } from '../../reports/findings.js';
import type { CallOptions, Progress } from '../../rpc/rpc.js';
import { refuseChanged } from '../../storage/inputs.js';
import { shorten } from '../../storage/shorten.js';
import { SharedRead } from '../sharedRead.js';

/** People read no faster, and each update crosses to a page. */
const UPDATE_MILLISECONDS = 100;
/** Characters of a tensor's name that stand beside the progress. */
const MAX_SHOWN_NAME = 120;

interface Outcome {
  readonly findings: readonly Finding[];
  readonly report: CheckReport;
}

/** Who lends the pool of workers. */
export interface PoolLender {
  use<T>(job: (pool: WorkerPool) => Promise<T>): Promise<T>;
}

/**
 * The check of one document's model. It reads every weight, which may take minutes: pages that ask join the
 * one check, a page that is hidden or closed does not end it, and its outcome stays for those built later.
 */
export class IntegrityCheck {
  private running: SharedRead<Outcome> | undefined;
  private outcome: Outcome | undefined;

  /** @param load the model that the document shows */
  constructor(
    private readonly load: () => Promise<OpenedModel>,
    private readonly pool: PoolLender,
  ) {}

  /** True where a check is under way or through, so that asking for it starts none. */
  get isKnown(): boolean {
    return this.running !== undefined || this.outcome !== undefined;
  }

  /**
   * What the check finds: of the one that is through, or under way, or begins now.
   * @throws CheckpointError where a file cannot be read or changed meanwhile; an AbortError once cancelled
   */
  async report(onProgress?: (progress: Progress) => void): Promise<CheckReport> {
    if (this.outcome) return this.outcome.report;
    if (this.running?.isCancelled) this.running = undefined;
    this.running ??= this.start();
    return (await this.running.wait({ onProgress })).report;
  }

  /** Ends the check, for all who wait for it. */
  cancel(): void {
    this.running?.cancel();
  }

  /** Ends the check and drops its outcome: the files are no longer those that it is of. */
  forget(): void {
    this.cancel();
    this.running = undefined;
    this.outcome = undefined;
  }

  /** The findings as CSV. @throws Error where no check is through */
  csv(): string {
    return formatFindingsCsv(this.findings());
  }

  /** The same text as `inspect --check --json`. @throws Error where no check is through */
  json(): string {
    return [...formatFindingsJson(this.findings())].join('');
  }

  private findings(): readonly Finding[] {
    if (!this.outcome) throw new Error('There is no finished check of these files: run it again.');
    return this.outcome.findings;
  }

  private start(): SharedRead<Outcome> {
    const read = new SharedRead(async (options) => {
      try {
        const outcome = await this.check(options);
        if (this.running === read) this.outcome = outcome;
        return outcome;
      } finally {
        if (this.running === read) this.running = undefined;
      }
    });
    return read;
  }

  private async check({ signal, onProgress }: CallOptions): Promise<Outcome> {
    const model = await this.load();
    let last = 0;
    const options: CallOptions = {
      signal,
      onProgress: ({ message, ...progress }) => {
        if (performance.now() - last < UPDATE_MILLISECONDS) return;
        last = performance.now();
        onProgress?.({ ...progress, message: message && shorten(message, MAX_SHOWN_NAME) });
      },
    };
    const findings = await this.pool.use((pool) => checkModel(pool, model, options));
    await refuseChanged(model.inputs, model.fileSystem);
    return { findings, report: describeCheck(model, findings) };
  }
}
