import * as vscode from 'vscode';
import type { OpenedModel } from '../../checkpoint/types.js';
import { chooseThreads } from '../../compute/workerPool.js';
import type { Host } from '../../host/host.js';
import { measureInThread, measureOutputsInThread } from '../../jobs/perplexity/measureInThread.js';
import type {
  MeasuredOutputs,
  MeasuredPerplexity,
  MeasurementRequest,
  OutputsRequest,
  PerplexitySettings,
} from '../../jobs/perplexity/measurement.js';
import type { CallOptions } from '../../rpc/rpc.js';
import type { GpuAccess } from '../gpu/gpuAccess.js';
import { log } from '../log.js';
import { readSettings } from '../settings.js';
import { LearntSpeeds } from './learntSpeeds.js';

/** A shorter run says little about a long one. */
const SPEED_AFTER_SECONDS = 2;

/** Runs models for their perplexity; keeps scores, and remembers how fast that goes. */
export class PerplexityMeter {
  private readonly cacheFolder: string | undefined;
  private readonly speeds: LearntSpeeds;

  constructor(
    private readonly host: Host,
    private readonly gpu: GpuAccess,
    globalStorage: vscode.Uri,
    memento: vscode.Memento,
  ) {
    this.speeds = new LearntSpeeds(memento);
    const folder = vscode.Uri.joinPath(globalStorage, 'scores');
    this.cacheFolder = folder.scheme === 'file' ? folder.fsPath : undefined;
  }

  /** Seconds that so much work should take. */
  secondsFor(flops: number, threads: number): number {
    return this.speeds.secondsFor(flops, threads, readSettings().backend);
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
    refuseRemote(model);
    const threads = chooseThreads(this.host, readSettings().threads);
    const { options: watched, flopsPerSecond } = watchSpeed(options);
    const start = { threads, ...this.gpu.lend() };
    const measured = await measureInThread(this.host, start, model, request, {
      ...watched,
      log: (line) => log.info(`Perplexity: ${line}`),
      onRates: (rates) => this.gpu.rates.add(rates),
    });
    const speed = flopsPerSecond();
    if (speed !== undefined) this.speeds.learn(measured.backend, speed, threads);
    return measured;
  }

  /**
   * Calibrates a model, in a thread of its own.
   * @throws an Error of one line; an AbortError when cancelled
   */
  async measureOutputs(
    model: OpenedModel,
    request: OutputsRequest,
    options: CallOptions,
  ): Promise<MeasuredOutputs> {
    refuseRemote(model);
    const threads = chooseThreads(this.host, readSettings().threads);
    return measureOutputsInThread(this.host, { threads }, model, request, options);
  }
}

function refuseRemote({ fileSystem }: OpenedModel): void {
  if (fileSystem.isLocal) return;
  throw new Error(
    vscode.l10n.t('Perplexity and calibration need the model in a folder on a local disk.'),
  );
}

/** Learns from progress, which counts multiplications and additions, how fast they go. */
function watchSpeed({ signal, onProgress }: CallOptions): {
  readonly options: CallOptions;
  /** Undefined after a run that was too short to tell. */
  flopsPerSecond(): number | undefined;
} {
  let begin: number | undefined;
  let speed: number | undefined;
  return {
    options: {
      signal,
      onProgress: (progress) => {
        onProgress?.(progress);
        if (progress.done <= 0) return;
        begin ??= performance.now();
        const seconds = (performance.now() - begin) / 1000;
        if (seconds >= SPEED_AFTER_SECONDS) speed = progress.done / seconds;
      },
    },
    flopsPerSecond: () => speed,
  };
}
