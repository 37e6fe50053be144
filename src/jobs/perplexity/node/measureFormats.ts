import { findModelFiles } from '../../../checkpoint/node/modelFiles.js';
import type { OpenedModel } from '../../../checkpoint/types.js';
import type { WorkerPool } from '../../../compute/workerPool.js';
import { planLanguageModel } from '../../../model/config/languageModel.js';
import { hasChannelScales } from '../../../model/evaluation/channelScales.js';
import { evaluate } from '../../../model/evaluation/evaluate.js';
import type {
  EvaluationResult,
  EvaluationSettings,
  LanguageModel,
  ScoreStore,
  Variant,
} from '../../../model/evaluation/types.js';
import { countFlopsFrom, countVariantFlops } from '../../../model/evaluation/work.js';
import { hashOf } from '../../../model/scores/node/hashOf.js';
import {
  computeBaselinePerplexity,
  computePerplexity,
  type Perplexity,
} from '../../../model/scores/perplexity.js';
import type { PerplexityText } from '../../../reports/reports.js';
import type { CallOptions } from '../../../rpc/rpc.js';
import { recordInputs, refuseChanged, type InputState } from '../../../storage/inputs.js';
import { localFileSystem } from '../../../storage/node/localFileSystem.js';
import type { Backends, ChosenBackend, JobWork } from '../../backends/backends.js';
import { nameAgainst } from '../../comparison/compareAgainst.js';
import { parseSchemes } from '../../formatList.js';
import { resolveMix, type FormatMix } from '../../mixes.js';
import { DEFAULT_MEMORY_BUDGET } from '../measurement.js';
import type { MeasuredPerplexity, MeasurementRequest } from '../measurement.js';
import { explainNoPerplexity, UNQUANTIZED } from '../noPerplexity.js';
import { makeAgainstVariant } from './againstVariant.js';
import { readWindows, type EvaluationText } from './evaluationText.js';
import { openScores } from './openScores.js';
import { saveLogits } from './saveLogits.js';
import { makeSchemeVariants, type SchemeVariants } from './schemeVariants.js';

export interface MeasureOptions extends CallOptions {
  /** Chooses what runs the model; absent: the threads of the pool. */
  readonly backends?: Backends;
  /** Hears of what goes wrong beside the measurement, in one line; default: it becomes a note. */
  readonly warn?: (message: string) => void;
}

const SCALES_ON_THREADS =
  'activations with a scale for each input are rounded by threads, not by a GPU';

/**
 * Perplexity of a model unquantized and with tensors in each of several formats, in one walk over
 * its weights.
 * @throws an Error of one line that names the file and the rule; an AbortError when cancelled
 */
export async function measureFormats(
  pool: WorkerPool,
  opened: OpenedModel,
  request: MeasurementRequest,
  options: MeasureOptions = {},
): Promise<MeasuredPerplexity> {
  const { tensors: names, scaleDtype, perLayer, settings } = request;
  const { signal, onProgress } = options;
  const schemes = parseSchemes(request.formats);
  const notes: string[] = [];
  const warn = options.warn ?? ((message: string) => void notes.push(message));
  const model = await planLanguageModel(opened);
  onProgress?.({ done: 0, total: 1, message: 'Tokenizing' });
  const begin = performance.now();
  const modelInputs = new Map<string, InputState>(opened.inputs);
  const textInputs = new Map<string, InputState>();
  const text = await readWindows(
    pool.host,
    { ...model, opened: { ...opened, fileSystem: recordInputs(opened.fileSystem, modelInputs) } },
    settings,
    signal,
    recordInputs(localFileSystem, textInputs),
  );
  const { ids } = text.windows;
  const against = request.against && { ...request.against, fileSystem: opened.fileSystem };
  const positions = ids.reduce((most, { length }) => Math.max(most, length), 0);
  const other = against && (await makeAgainstVariant(model, against, positions));
  const otherInputs = against?.inputs ?? new Map<string, InputState>();
  const inputs = [...modelInputs.keys(), ...textInputs.keys(), ...otherInputs.keys()];
  const refuseMixture = async () => {
    await refuseChanged(modelInputs, opened.fileSystem);
    await refuseChanged(textInputs, localFileSystem);
    await refuseChanged(otherInputs, opened.fileSystem);
  };
  const tokenizeSeconds = (performance.now() - begin) / 1000;

  const made = await makeSchemeVariants(
    {
      pool,
      model,
      schemes,
      tensors: names,
      perLayer,
      scaleDtype,
      settings,
      evaluated: { windows: ids, source: text.source },
      files: recordInputs(localFileSystem, textInputs),
    },
    options,
  );
  notes.push(...made.text.notes);
  const whole = made.variants.map((variant) => variant.whole);
  const alone = made.variants.map((variant) => [...variant.alone]);
  if (other) {
    whole.unshift(other.variant);
    alone.unshift([]);
  }
  const { mixes = [] } = request;
  for (const mix of mixes) {
    whole.push(makeMixVariant(opened, mix));
    alone.push([]);
  }
  // The only tensor alone is all of them.
  const variants = new Map([...whole, ...alone.flat()].map((variant) => [variant.id, variant]));

  const work = estimateWork(model, ids, [...variants.values()]);
  const choosing = [...variants.values()].some(hasChannelScales)
    ? Promise.resolve(refuseGpu(options.backends))
    : options.backends?.choose(pool, work, { signal });
  const { gpu, reason } = (await endingOnFailure(made, choosing)) ?? {};
  let backend: string = (gpu ?? pool).backend;
  let backendReason = reason;
  const run = (
    more: Pick<EvaluationSettings, 'store' | 'onLogits'>,
    storeOfThreads?: ScoreStore,
  ) => {
    const memoryBudgetBytes = settings.memoryBudgetBytes ?? DEFAULT_MEMORY_BUDGET;
    const onFailure = ({ message }: Error, scored: number, blocks: number) => {
      const behind = blocks === 0 ? '' : ` (${blocks} of ${model.plan.blocks.length} blocks done)`;
      backend = `${backend}, ${pool.backend}`;
      backendReason = `The GPU failed (${message}); from window ${scored + 1} of ${ids.length}${behind} on, ${pool.backend} went on`;
      warn(`${backendReason}.`);
      options.backends?.log(`${backendReason}.`);
    };
    const evaluation = {
      pool: gpu ?? pool,
      fallback: gpu && { pool, store: storeOfThreads, onFailure },
      model,
      windows: ids,
      variants: [...variants.values()],
      settings: { scaleDtype, memoryBudgetBytes, ...more },
    };
    return evaluate(evaluation, options);
  };
  let result: EvaluationResult;
  try {
    if (settings.logitsFile !== undefined) {
      if (variants.size > 1) throw new Error('Logits can be saved of one model at a time only');
      const file = {
        path: settings.logitsFile,
        windows: ids,
        vocabularySize: model.plan.vocabularySize,
        inputs: [
          ...inputs,
          ...(await findModelFiles(opened.path)),
          ...(against ? await findModelFiles(against.path) : []),
        ],
        beforeRename: refuseMixture,
        evaluate: (onLogits: EvaluationSettings['onLogits']) => run({ onLogits }),
      };
      result = await saveLogits(file, signal);
    } else {
      const scored = { model: opened, windows: ids, scaleDtype, inputs };
      const folder = other?.isKnown === false ? undefined : settings.cacheFolder;
      const store = await openScores(gpu ?? pool, scored, folder, warn);
      const storeOfThreads = gpu && (await openScores(pool, scored, folder, warn));
      try {
        result = await run({ store }, storeOfThreads);
        const nonFinite = store?.nonFinite ?? storeOfThreads?.nonFinite;
        result = { ...result, nonFinite: result.nonFinite ?? nonFinite };
      } finally {
        await store?.close();
        await storeOfThreads?.close();
      }
    }
  } finally {
    await gpu?.end();
    await made.end();
  }

  await refuseMixture();
  const scores = new Map([...variants.keys()].map((id, index) => [id, result.variants[index]]));
  const perplexity = ({ id }: Variant) => computePerplexity(scores.get(id)!, result.baseline);
  const baseline = computeBaselinePerplexity(result.baseline);
  const calibrations = [...(other ? [undefined] : []), ...made.variants.map((v) => v.calibration)];
  const measured = whole.map((variant, index) => ({
    whole: perplexity(variant),
    alone: alone[index].map(perplexity),
    ...(calibrations[index] && { calibration: calibrations[index] }),
  }));
  return {
    text: describeText(text, baseline.tokens, settings.perDocument),
    baseline,
    formats: measured,
    notes: [
      ...noNumberNotes([
        [UNQUANTIZED, baseline],
        ...[
          ...(against ? [nameAgainst(against)] : []),
          ...schemes.map(({ id }) => id),
          ...mixes.map(({ name }) => name),
        ].map((name, index) => [name, measured[index].whole] as const),
      ]),
      ...textNotes(text, model),
      ...model.plan.notes,
      ...(other?.notes ?? []),
      ...nonFiniteNotes(result),
      ...notes,
    ],
    tokenizeSeconds,
    forwardSeconds: result.forwardSeconds,
    peakRssBytes: pool.host.peakMemoryBytes(),
    backend,
    backendReason,
    threads: pool.threads,
  };
}

/** A model with a format for each tensor. */
function makeMixVariant(opened: OpenedModel, mix: FormatMix): Variant {
  const tensors = resolveMix(opened, mix);
  const parts = tensors.map(({ tensor, format }) => `${format.id} ${tensor.name}`);
  return {
    id: `mix ${hashOf(parts)}`,
    changes: new Map(tensors.map(({ tensor, format }) => [tensor.name, { format }])),
  };
}

/** On threads whatever was asked for; says why where it could have been a GPU. */
function refuseGpu(backends: Backends | undefined): ChosenBackend {
  const { choice } = backends ?? { choice: 'wasm' };
  return choice === 'auto' || choice === 'webgpu' ? { reason: SCALES_ON_THREADS } : {};
}

/** Ends variants where what comes next fails. */
async function endingOnFailure<Result>(
  made: Pick<SchemeVariants, 'end'>,
  next: Promise<Result> | undefined,
): Promise<Result | undefined> {
  try {
    return await next;
  } catch (error) {
    await made.end();
    throw error;
  }
}

/** What an evaluation does, for the choice of what runs it. */
function estimateWork(
  { opened, plan }: LanguageModel,
  windows: readonly Int32Array[],
  variants: readonly Variant[],
): JobWork {
  const rows = windows.reduce((sum, { length }) => sum + length, 0);
  const flops = variants.reduce(
    (sum, variant) => sum + countVariantFlops(variant, plan),
    countFlopsFrom(0, plan),
  );
  const elements = new Map(opened.tensors.map((tensor) => [tensor.name, tensor.elements]));
  const quantized = variants.reduce(
    (sum, { changes }) =>
      [...changes.keys()].reduce((all, name) => all + (elements.get(name) ?? 0), sum),
    0,
  );
  const bytes = opened.tensors.reduce((sum, tensor) => sum + tensor.bytes, 0);
  return { bytes, quantized, flops: flops * rows };
}

function describeText(
  { source, bundled, windows }: EvaluationText,
  tokens: number,
  separator: string | undefined,
): PerplexityText {
  const { protocol, context, ids, totalTokens, bos } = windows;
  return {
    source,
    bundled,
    protocol,
    separator,
    context,
    windows: ids.length,
    tokens,
    totalTokens,
    bos,
  };
}

function textNotes(
  { bundled, windows, notes: ofIds }: EvaluationText,
  { plan }: LanguageModel,
): string[] {
  const notes = [...ofIds];
  if (bundled) {
    notes.push(
      'Perplexity is on the text that comes with Quantscope (five State of the Union addresses), not on one of the usual benchmarks.',
    );
  }
  const longest = windows.ids.reduce((most, { length }) => Math.max(most, length), 0);
  if (longest > plan.maxPositions) {
    notes.push(
      `Windows of ${longest} tokens are longer than the ${plan.maxPositions} positions the model was made for.`,
    );
  }
  if (windows.ids.length === 1) {
    notes.push('A single window was scored, which says nothing about the error of its perplexity.');
  }
  return notes;
}

function noNumberNotes(perplexities: readonly (readonly [string, Perplexity])[]): string[] {
  const without = perplexities.filter(([, { value }]) => !Number.isFinite(value));
  return without.length === 0 ? [] : [explainNoPerplexity(without.map(([name]) => name))];
}

function nonFiniteNotes({ nonFinite = 0 }: EvaluationResult): string[] {
  if (nonFinite === 0) return [];
  const weights = nonFinite === 1 ? '1 weight is' : `${nonFinite} weights are`;
  return [`${weights} NaN or infinite and counted as 0 in every perplexity.`];
}
