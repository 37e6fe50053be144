import * as vscode from 'vscode';
import type { OpenedModel } from '../../checkpoint/types.js';
import { chooseThreads } from '../../compute/workerPool.js';
import type { Host } from '../../host/host.js';
import { measureInThread } from '../../jobs/perplexity/measureInThread.js';
import type {
  MeasuredPerplexity,
  MeasurementRequest,
  PerplexitySettings,
} from '../../jobs/perplexity/measurement.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { GpuAccess } from '../gpu/gpuAccess.js';
import { log } from '../log.js';
import { readSettings } from '../settings.js';

/** Multiplications and additions a second and thread, until a run on this machine has told. */
const FIRST_SPEED = 2.5e10;
const SPEED_KEY = 'perplexity.flopsPerSecondAndThread';
/** A shorter run says little about a long one. */
const SPEED_AFTER_SECONDS = 2;

/** Runs models for their perplexity; keeps scores, and remembers how fast that goes. */
export class PerplexityMeter {
  private readonly cacheFolder: string | undefined;

  constructor(
    private readonly host: Host,
    private readonly gpu: GpuAccess,
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

  /** Means of a measurement that are no choice of the one who asks for it. */
  settings(): Pick<PerplexitySettings, 'memoryBudgetBytes' | 'cacheFolder'> {
    return {
      memoryBudgetBytes: readSettings().memoryBudgetBytes,
      cacheFolder: this.cacheFolder,
    };
  }

  /**
   * Runs a model in a thread of its own.
   * @throws an Error of one line; an AbortError when cancelled
   */
  async measure(
    model: OpenedModel,
    request: MeasurementRequest,
    options: CallOptions,
  ): Promise<MeasuredPerplexity> {
    if (!model.fileSystem.isLocal) {
      throw new Error(vscode.l10n.t('Perplexity needs the model in a folder on a local disk.'));
    }
    const threads = chooseThreads(this.host, readSettings().threads);
    const watched = this.watched(options, threads);
    const start = { threads, ...this.gpu.lend() };
    const measured = await measureInThread(this.host, start, model, request, watched);
    const { backend, backendReason } = measured;
    if (backendReason) log.info(`Perplexity on ${backend}: ${backendReason}.`);
    return measured;
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
