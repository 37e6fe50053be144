import { availableParallelism } from 'node:os';
import * as vscode from 'vscode';
import { withPerplexity } from '../jobs/perplexity.js';
import { inPerplexityThread } from '../jobs/perplexityThread.js';
import type { ComparisonReport, PerplexityReport } from '../jobs/reports.js';
import type { MeasureFormatsRequest, PerplexityThreadApi } from '../protocol/perplexityThread.js';
import type { CallOptions, Remote } from '../protocol/rpc.js';
import type { Checkpoint } from '../safetensors/index.js';
import type { ComparisonRequest, PerplexityChoice } from './comparisonRequest.js';
import { readSettings } from './settings.js';

/** Multiplications and additions a second and thread, until a run on this machine has told. */
const FIRST_SPEED = 2.5e10;
const SPEED_KEY = 'perplexity.flopsPerSecondAndThread';
/** A shorter run says little about a long one. */
const SPEED_AFTER_SECONDS = 2;

/** Runs models for their perplexity; keeps scores, and remembers how fast that goes. */
export class PerplexityMeter {
  private readonly cacheFolder: string | undefined;

  constructor(
    globalStorage: vscode.Uri,
    private readonly memento: vscode.Memento,
  ) {
    const folder = vscode.Uri.joinPath(globalStorage, 'scores');
    this.cacheFolder = folder.scheme === 'file' ? folder.fsPath : undefined;
  }

  /** Seconds that so much work should take. */
  secondsFor(flops: number, threads: number): number {
    return flops / (this.memento.get<number>(SPEED_KEY, FIRST_SPEED) * threads);
  }

  /**
   * Perplexity of a model and of its formats.
   * @param weights the comparison of its weights in these formats; undefined where there is no format
   * @returns that comparison with perplexities
   * @throws an Error of one line; an AbortError when cancelled
   */
  async measure(
    checkpoint: Checkpoint,
    request: ComparisonRequest,
    choice: PerplexityChoice,
    weights: ComparisonReport | undefined,
    options: CallOptions,
  ): Promise<ComparisonReport> {
    if (checkpoint.inMemory) {
      throw new Error(vscode.l10n.t('Perplexity needs the model in a folder on a local disk.'));
    }
    const { threads, memoryBudgetBytes } = readSettings();
    const { textFile, windows } = choice;
    const { cacheFolder } = this;
    const settings = { textFile, windows, memoryBudgetBytes, cacheFolder };
    const watched = this.watched(options, threads ?? availableParallelism());
    return inPerplexityThread({ threads, assetsFolder: __dirname }, async (thread) =>
      weights
        ? measureWith(thread, checkpoint, request, choice, weights, settings, watched)
        : unquantizedReport(
            await thread.measurePerplexity(
              { checkpoint, request: { ...settings, formats: [] } },
              watched,
            ),
          ),
    );
  }

  /** Learns from progress, which counts multiplications and additions. */
  private watched({ signal, onProgress }: CallOptions, threads: number): CallOptions {
    let begin: number | undefined;
    let known = false;
    return {
      signal,
      onProgress: (progress) => {
        onProgress?.(progress);
        if (progress.done <= 0) return;
        begin ??= performance.now();
        const seconds = (performance.now() - begin) / 1000;
        if (seconds < SPEED_AFTER_SECONDS || known) return;
        known = true;
        void this.memento.update(SPEED_KEY, progress.done / seconds / threads);
      },
    };
  }
}

async function measureWith(
  thread: Remote<PerplexityThreadApi>,
  checkpoint: Checkpoint,
  { formats, tensors, scaleDtype }: ComparisonRequest,
  { perLayer = false }: PerplexityChoice,
  weights: ComparisonReport,
  settings: MeasureFormatsRequest['settings'],
  options: CallOptions,
): Promise<ComparisonReport> {
  const begin = performance.now();
  const measured = await thread.measureFormats(
    { checkpoint, formats, tensors, scaleDtype, perLayer, settings },
    options,
  );
  // What holds for all perplexities is said once, not with each format.
  const report = withPerplexity(weights, { ...measured, notes: [] });
  const totalSeconds = report.timings.totalSeconds + (performance.now() - begin) / 1000;
  return { ...report, notes: measured.notes, timings: { ...report.timings, totalSeconds } };
}

function unquantizedReport({
  model,
  text,
  baseline,
  notes,
  timings,
}: PerplexityReport): ComparisonReport {
  return {
    model,
    text,
    baseline,
    formats: [],
    notes,
    timings: { ...timings, readSeconds: 0, quantizeSeconds: 0 },
  };
}

/** A report as it was before perplexities were measured. */
export function withoutPerplexity({
  text: _text,
  notes: _notes,
  formats,
  ...rest
}: ComparisonReport): ComparisonReport {
  return {
    ...rest,
    baseline: {},
    formats: formats.map(({ perplexity: _perplexity, tensors, ...format }) => ({
      ...format,
      tensors: tensors.map(({ perplexityAlone: _alone, ...tensor }) => tensor),
    })),
  };
}
