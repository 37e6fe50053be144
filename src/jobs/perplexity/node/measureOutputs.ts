import type { OpenedModel } from '../../../checkpoint/types.js';
import { WorkerPool } from '../../../compute/workerPool.js';
import {
  measureOutputErrors,
  type ExaminedVariant,
  type LinearErrors,
} from '../../../model/calibration/outputErrors.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import type { LanguageModel } from '../../../model/evaluation/types.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import { recordInputs, refuseChanged, type InputState } from '../../../storage/inputs.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import { parseSchemes } from '../../formatList.js';
import { OUTPUT_TOKENS } from '../estimateCalibration.js';
import type { MeasuredOutputs, OutputsRequest } from '../measurement.js';
import { makeSchemeVariants } from './schemeVariants.js';

/** Outputs are looked at on this text, unless the user asks for other windows. */
const OUTPUT_TEXT = { windows: 8, context: 256 };

/**
 * Calibrates a model in some schemes and measures what each does to the outputs of every linear map, given the
 * inputs that the unquantized model gives it; where methods chose weights, also how far these are from the
 * stored ones.
 * @throws an Error of one line that names the file and the rule; an AbortError when cancelled
 */
export async function measureOutputs(
  pool: WorkerPool,
  opened: OpenedModel,
  request: OutputsRequest,
  options: CallOptions = {},
): Promise<MeasuredOutputs> {
  const { tensors, scaleDtype, settings } = request;
  const schemes = parseSchemes(request.formats);
  const model = await planLanguageModel(opened);
  const modelInputs = new Map<string, InputState>(opened.inputs);
  const textInputs = new Map<string, InputState>();
  const recorded = {
    ...model,
    opened: { ...opened, fileSystem: recordInputs(opened.fileSystem, modelInputs) },
  };
  const made = await makeSchemeVariants(
    {
      pool,
      model: recorded,
      schemes,
      tensors,
      perLayer: false,
      scaleDtype,
      settings,
      files: recordInputs(localFileSystem, textInputs),
    },
    options,
  );
  try {
    const { windows, source } = await made.text.windowsFor(OUTPUT_TEXT);
    const seen = takeTokens(windows, OUTPUT_TOKENS);
    const variants = made.variants.map(({ whole, factors }, index) => ({
      ...whole,
      factors,
      comparesWeights: schemes[index].methods.length > 0,
    }));
    const errors = await inOwnPool(pool, (own) =>
      examine(own, { model, windows: seen, scaleDtype, tensors }, variants, options),
    );
    await refuseChanged(modelInputs, opened.fileSystem);
    await refuseChanged(textInputs, localFileSystem);
    return {
      text: describeTokens(source, seen),
      formats: errors.map((byName, index) => ({
        tensors: tensors.map((name) => byName.get(name)),
        calibration: made.variants[index].calibration,
      })),
      notes: made.text.notes,
      peakRssBytes: pool.host.peakMemoryBytes(),
    };
  } finally {
    await made.end();
  }
}

interface Examination {
  readonly model: LanguageModel;
  readonly windows: readonly Int32Array[];
  readonly scaleDtype: OutputsRequest['scaleDtype'];
  readonly tensors: readonly string[];
}

function examine(
  pool: WorkerPool,
  { tensors, ...request }: Examination,
  variants: readonly ExaminedVariant[],
  { signal, onProgress }: CallOptions,
): Promise<readonly ReadonlyMap<string, LinearErrors>[]> {
  return measureOutputErrors({ pool, ...request, tensors: new Set(tensors) }, variants, {
    signal,
    onProgress:
      onProgress &&
      ((progress) =>
        onProgress({ ...progress, message: `Output errors, ${progress.message ?? 'done'}` })),
  });
}

/** Does something with threads whose memory is free when it ends. */
async function inOwnPool<Result>(
  { host, threads, backend }: WorkerPool,
  job: (pool: WorkerPool) => Promise<Result>,
): Promise<Result> {
  const own = await WorkerPool.create(host, { threads, backend });
  try {
    return await job(own);
  } finally {
    await own.dispose();
    host.freeMemory();
  }
}

/** The first windows that have so many tokens together, or one. */
function takeTokens(windows: readonly Int32Array[], most: number): readonly Int32Array[] {
  let tokens = 0;
  return windows.filter(({ length }, index) => (tokens += length) <= most || index === 0);
}

function describeTokens(text: string, windows: readonly Int32Array[]): MeasuredOutputs['text'] {
  return {
    text,
    windows: windows.length,
    context: windows.reduce((most, { length }) => Math.max(most, length), 0),
    tokens: windows.reduce((sum, { length }) => sum + length, 0),
  };
}
