import type { ModelTensor, OpenedModel } from '../../../checkpoint/types.js';
import type { WorkerPool } from '../../../compute/workerPool.js';
import { parseFormat } from '../../../formats/index.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import { evaluate } from '../../../model/evaluation/evaluate.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import { NOISE_GROUP } from '../../../model/forward/weightNoise.js';
import { TokenizerError } from '../../../model/text/tokenizerFiles.js';
import type { SensitivityReport } from '../../../reports/sensitivity.js';
import { throwIfCancelled, type CallOptions } from '../../../rpc/rpc.js';
import { visible } from '../../../storage/errors.js';
import { recordInputs, refuseChanged, type InputState } from '../../../storage/inputs.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { quantizeTensors } from '../../comparison/quantizeTensors.js';
import { DEFAULT_MEMORY_BUDGET } from '../../perplexity/measurement.js';
import { CalibrationText } from '../../perplexity/node/calibrationText.js';
import { readWindows as readTextWindows } from '../../perplexity/node/evaluationText.js';
import { openScores } from '../../perplexity/node/openScores.js';
import {
  drawWindows,
  estimateAlpha,
  noiseVariants,
  type NoisyTensor,
} from '../estimateSensitivity.js';
import {
  DEFAULT_SENSITIVITY,
  type SensitivityRequest,
  type SensitivitySettings,
} from '../request.js';

interface SensitivityWindows {
  readonly windows: readonly Int32Array[];
  /** Path of the text; absent: ids were drawn at random. */
  readonly text?: string;
  readonly notes: readonly string[];
}

/**
 * Measures how much each tensor's error matters: noise of a known relative size on one tensor after the other, and
 * the KL divergence from the model as it is, over a few windows, in one walk. Threads do it, and no GPU.
 * @throws an Error of one line that names the file and the rule; an AbortError when cancelled
 */
export async function measureSensitivity(
  pool: WorkerPool,
  opened: OpenedModel,
  { tensors, settings = {}, run = {} }: SensitivityRequest,
  { signal, onProgress }: CallOptions = {},
): Promise<SensitivityReport> {
  const begin = performance.now();
  const { noise, draws, seed, ...asked } = { ...DEFAULT_SENSITIVITY, ...definedOf(settings) };
  const model = await planLanguageModel(opened);
  const inputs = new Map<string, InputState>();
  const files = recordInputs(localFileSystem, inputs);
  const { windows, text, notes } = await readWindows(
    pool,
    model,
    { ...asked, seed, run, files },
    signal,
  );
  const warnings: string[] = [];
  const store = await openScores(
    pool,
    { model: opened, windows, scaleDtype: 'f32', inputs: [...inputs.keys()] },
    run.cacheFolder,
    (message) => void warnings.push(message),
  );
  const noisy = await measureWidths(pool, tensors, signal);
  const variants = noiseVariants(noisy, { noise, draws, seed });
  const perTensor = noise.length * draws;
  try {
    const { variants: scores } = await evaluate(
      {
        pool,
        model,
        windows,
        variants,
        settings: {
          scaleDtype: 'f32',
          memoryBudgetBytes: run.memoryBudgetBytes ?? DEFAULT_MEMORY_BUDGET,
          store,
        },
      },
      {
        signal,
        onProgress: (progress) =>
          onProgress?.({ ...progress, message: `Sensitivity: ${progress.message}` }),
      },
    );
    await refuseChanged(opened.inputs, opened.fileSystem);
    await refuseChanged(inputs, localFileSystem);
    return {
      tokens: {
        ...(text !== undefined && { text }),
        windows: windows.length,
        context: windows.reduce((most, { length }) => Math.max(most, length), 0),
        tokens: windows.reduce((sum, { length }) => sum + length, 0),
      },
      noise,
      seed,
      evaluations: variants.length,
      seconds: (performance.now() - begin) / 1000,
      tensors: tensors.map(({ name, layer, nameInLayer, elements }, index) => ({
        ...{ name, layer, nameInLayer, parameters: elements },
        ...checked(
          opened,
          name,
          estimateAlpha(noise, scores.slice(index * perTensor, (index + 1) * perTensor)),
        ),
      })),
      notes: [...notes, ...warnings],
    };
  } finally {
    await store?.close();
  }
}

/** Settings without those that are undefined. */
function definedOf(settings: SensitivitySettings): SensitivitySettings {
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined));
}

interface Asked extends Pick<
  Required<SensitivitySettings>,
  'windows' | 'context' | 'seed' | 'randomIds'
> {
  readonly run: NonNullable<SensitivityRequest['run']>;
  readonly files: typeof localFileSystem;
}

/**
 * Windows of the text that is scored, or of a calibration text that is given; where there is no tokenizer, or it is
 * asked for, of ids drawn at random.
 */
async function readWindows(
  pool: WorkerPool,
  model: LanguageModel,
  { windows: wanted, context, seed, randomIds, run, files }: Asked,
  signal: AbortSignal | undefined,
): Promise<SensitivityWindows> {
  const { vocabularySize, maxPositions } = model.plan;
  const random = (why: string): SensitivityWindows => ({
    windows: drawWindows(vocabularySize, {
      windows: wanted,
      context: Math.min(context, maxPositions),
      seed,
    }),
    notes: [
      `Sensitivities are measured on token ids drawn at random${why}: they rank tensors nearly as well as those of a text, but are not of the size that they have there.`,
    ],
  });
  if (randomIds) return random('');
  const { textFile: ownText, seed: drawn } = run.calibration ?? {};
  if (ownText !== undefined) {
    const settings = {
      calibration: { textFile: ownText, seed: drawn },
      bosEveryWindow: run.bosEveryWindow,
    };
    const text = new CalibrationText({ pool, model, settings, files }, signal);
    const { windows, source } = await text.windowsFor({ windows: wanted, context });
    return { windows, text: source, notes: text.notes };
  }
  const { textFile, tokenIdsFile, perDocument, bosEveryWindow } = run;
  const request = {
    ...{ textFile, tokenIdsFile, perDocument, bosEveryWindow, windows: wanted },
    // Windows of ids are as they are.
    context: tokenIdsFile === undefined ? Math.min(context, maxPositions) : run.context,
  };
  try {
    const { windows, source } = await readTextWindows(pool.host, model, request, signal, files);
    const note =
      'Sensitivities are measured on the first windows of the text that is scored as well.';
    return { windows: windows.ids, text: source, notes: [note] };
  } catch (error) {
    throwIfCancelled(signal);
    if (!(error instanceof TokenizerError) || textFile !== undefined) throw error;
    return random(` (${error.message})`);
  }
}

/** Squared relative errors of noise as wide as groups are, from the rounding error of INT8: steps of 1/255 of the range. */
async function measureWidths(
  pool: WorkerPool,
  tensors: readonly ModelTensor[],
  signal: AbortSignal | undefined,
): Promise<NoisyTensor[]> {
  const formats = [parseFormat(`int8-asym:g${NOISE_GROUP}`)];
  const request = { tensors, formats, scaleDtype: 'f32' as const };
  const { tensors: rounded } = await quantizeTensors(pool, request, { signal });
  return rounded.map(({ tensor: { name }, weights: { sumSquares }, errors: [{ sums }] }) => ({
    name,
    widest: sumSquares > 0 ? (12 * 255 ** 2 * sums.squaredError) / sumSquares : 0,
  }));
}

/** @throws where a model with noise gives no numbers */
function checked<Alpha extends { readonly alpha: number }>(
  { path }: OpenedModel,
  name: string,
  estimate: Alpha,
): Alpha {
  if (Number.isFinite(estimate.alpha)) return estimate;
  throw new Error(
    `${visible(path)}: with noise on "${visible(name)}" the model's probabilities are no numbers, so that its sensitivity is not known`,
  );
}
