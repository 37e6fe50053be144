import { resolve } from 'node:path';
import type { OpenedModel } from '../../../checkpoint/types.js';
import { WorkerPool } from '../../../compute/workerPool.js';
import { parseFormat, type ScaleDtype } from '../../../formats/index.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import { WindowError } from '../../../model/text/windows.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import { fingerprintModel } from '../../../model/scores/node/fingerprint.js';
import { hashOf } from '../../../model/scores/node/hashOf.js';
import { trainWeights } from '../../../model/training/trainWeights.js';
import { DEFAULT_TRAINING, type TrainingSettings } from '../../../model/training/types.js';
import type { TrainingReport } from '../../../reports/training.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import { visible } from '../../../storage/errors.js';
import { recordInputs, refuseChanged, type InputState } from '../../../storage/inputs.js';
import type { FileSystem } from '../../../storage/fileSystem.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { refuseUnwritable, writeReplaced } from '../../node/quantizeToFile.js';
import type { CalibrationSettings } from '../../perplexity/measurement.js';
import { CalibrationText, type ScoredText } from '../../perplexity/node/calibrationText.js';
import { readWindows } from '../../perplexity/node/evaluationText.js';
import { selectTensors, type Selection } from '../../selection.js';
import { TrainingStates } from './trainingStates.js';

/** Weights beyond which nobody waits for a CPU. */
export const MOST_TRAINED = 10_000_000;
/** Windows of the calibration text, and their tokens, unless the user asks for others. */
const USUAL = { windows: 128, context: 256 };
/** One window of so many is held back. */
const HELD_BACK = 10;

export interface TrainRequest extends Selection {
  readonly format: string;
  readonly scaleDtype?: ScaleDtype;
  /** A `.safetensors` file, or a folder that can be used as a model. */
  readonly out: string;
  readonly calibration: CalibrationSettings;
  readonly settings?: Partial<TrainingSettings>;
  /** Also models of more than {@link MOST_TRAINED} weights. */
  readonly allowsLarge?: boolean;
}

/**
 * Trains a model's linear weights for a format and writes the checkpoint with them, rounded and decoded: F32. Its state
 * is kept beside the output until that is there, so that training goes on where it was stopped.
 * @throws an Error of one line that names the file and the rule; an AbortError when cancelled
 */
export async function trainToFile(
  pool: WorkerPool,
  opened: OpenedModel,
  request: TrainRequest,
  options: CallOptions = {},
): Promise<TrainingReport> {
  const begin = performance.now();
  const { out, scaleDtype = 'f16', calibration, allowsLarge = false } = request;
  const { signal, onProgress } = options;
  const format = parseFormat(request.format);
  const settings = { ...DEFAULT_TRAINING, ...request.settings };
  refuseUnwritable(opened, out);
  const model = await planLanguageModel(opened);
  const selected = selectTensors(opened, request);
  const weights = selected.reduce((sum, { elements }) => sum + elements, 0);
  if (weights > MOST_TRAINED && !allowsLarge) throw new Error(tooLarge(opened, weights));
  const tensors = new Set(selected.map(({ name }) => name));
  const textInputs = new Map<string, InputState>();
  const files = recordInputs(localFileSystem, textInputs);
  const text = new CalibrationText(
    {
      ...{ pool, model, files, settings: { calibration } },
      evaluated: await readScoredText(pool, model, files, signal),
    },
    signal,
  );
  const { windows, source } = await text.windowsFor(USUAL);
  if (windows.length < 2) {
    throw new Error(
      `${visible(source)}: training needs at least two windows, one of them held back`,
    );
  }
  const held = Math.ceil(windows.length / HELD_BACK);
  const textHash = hashOf(
    windows.map((ids) => new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength)),
  );
  const key = hashOf([
    ...[(await fingerprintModel(opened)) ?? opened.path, await pool.host.assets.programHash()],
    ...[format.id, scaleDtype, JSON.stringify(settings), textHash, ...[...tensors].sort()],
  ]);
  const states = new TrainingStates(`${resolve(out).replace(/\.safetensors$/, '')}.training`, key);
  const resume = await states.read();
  // What training keeps in memory is free when it ends.
  const own = await WorkerPool.create(pool.host, { threads: pool.threads, backend: pool.backend });
  const trained = await trainWeights(
    {
      ...{ pool: own, model, format, scaleDtype, settings, tensors, resume },
      ...{ windows: windows.slice(0, -held), validation: windows.slice(-held) },
      onState: (state) => states.write(state, signal),
    },
    options,
  ).finally(() => own.dispose());
  const { best, checks, gamma } = trained;
  const metadata = {
    'quantscope.format': format.id,
    'quantscope.training': JSON.stringify({
      ...{ method: 'straight-through', format: format.id, scaleDtype, ...settings, gamma },
      ...{ textHash, windows: windows.length - held, heldBack: held, bestStep: best.step },
    }),
  };
  await refuseChanged(textInputs, localFileSystem);
  const { ofWeights: values } = trained;
  const written = await writeReplaced(
    pool,
    opened,
    { values, out, metadata },
    { signal, onProgress },
  );
  await states.remove();
  return {
    outputs: written.outputs,
    format: format.id,
    text: source,
    windows: windows.length - held,
    heldBack: held,
    context: windows.reduce((most, { length }) => Math.max(most, length), 0),
    ...{ settings, gamma, checks, best },
    resumedAt: resume?.step ?? 0,
    tensors: values.size,
    weights,
    seconds: (performance.now() - begin) / 1000,
    notes: [...text.notes, ...written.notes],
  };
}

/** The text that perplexity is measured on by default; undefined where it is too short to have anything in common. */
async function readScoredText(
  { host }: WorkerPool,
  model: LanguageModel,
  files: FileSystem,
  signal: AbortSignal | undefined,
): Promise<ScoredText | undefined> {
  try {
    const { windows, source } = await readWindows(host, model, { context: 32 }, signal, files);
    return { windows: windows.ids, source };
  } catch (error) {
    if (error instanceof Error && error.cause instanceof WindowError) return undefined;
    throw error;
  }
}

function tooLarge({ path }: OpenedModel, weights: number): string {
  const million = (count: number) => (count / 1e6).toFixed(count < 1e8 ? 1 : 0);
  return `${visible(path)}: ${million(weights)} million weights would be trained; models of up to ${million(MOST_TRAINED)} million are, unless larger ones are allowed`;
}
