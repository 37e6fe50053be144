import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { WorkerPool } from '../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../formats/index.js';
import { evaluate } from '../model/evaluate.js';
import { modelFingerprint } from '../model/fingerprint.js';
import { openLanguageModel } from '../model/languageModel.js';
import { baselinePerplexity, perplexityOf, type Perplexity } from '../model/perplexity.js';
import { FileScoreStore, hashOf } from '../model/scoreStore.js';
import type {
  EvaluationResult,
  EvaluationSettings,
  LanguageModel,
  Variant,
} from '../model/types.js';
import type { CallOptions } from '../protocol/rpc.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import { readWindows, type EvaluationText, type TextRequest } from './evaluationText.js';
import type { PerplexityText } from './reports.js';
import { saveLogits } from './saveLogits.js';

/** Hidden states in flight, where nothing is asked for. */
export const DEFAULT_MEMORY_BUDGET = 256 * 1024 * 1024;

/** What is measured on, and with what means. */
export interface PerplexitySettings extends TextRequest {
  /** Bytes for the hidden states in flight; default {@link DEFAULT_MEMORY_BUDGET}. */
  readonly memoryBudgetBytes?: number;
  /** Where scores are kept for later runs; absent: nowhere. */
  readonly cacheFolder?: string;
  /**
   * File for the logits of the one model that is measured: the only format's, or the unquantized
   * model's where there is none.
   */
  readonly logitsFile?: string;
  /** Folder of the bundle; default: that of the running bundle. */
  readonly assetsFolder?: string;
  /** Hears of what goes wrong beside the measurement, in one line; default: it becomes a note. */
  readonly warn?: (message: string) => void;
}

/** The perplexities of one format. */
export interface FormatPerplexity {
  /** All selected tensors quantized. */
  readonly whole: Perplexity;
  /** Each of them alone quantized, in their order; empty where that was not asked for. */
  readonly alone: readonly Perplexity[];
}

export interface MeasuredPerplexity {
  readonly text: PerplexityText;
  readonly baseline: Perplexity;
  /** One per format, in the order asked for. */
  readonly formats: readonly FormatPerplexity[];
  readonly notes: readonly string[];
  readonly tokenizeSeconds: number;
  readonly forwardSeconds: number;
}

/** A variant's name depends on nothing but what it is, so that later runs find its scores. */
function variantOf(format: NumberFormat, names: readonly string[]): Variant {
  const tensors = names.length === 1 ? names[0] : `${names.length} ${hashOf([...names].sort())}`;
  return { id: `${format.id} ${tensors}`, formats: new Map(names.map((name) => [name, format])) };
}

/** Scores are those of a model, a program and a backend. */
async function openStore(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  windows: readonly Int32Array[],
  scaleDtype: ScaleDtype,
  { cacheFolder, assetsFolder = __dirname }: PerplexitySettings,
  warn: (message: string) => void,
): Promise<FileScoreStore | undefined> {
  if (!cacheFolder) return undefined;
  const fingerprint = await modelFingerprint(checkpoint);
  if (!fingerprint) return undefined;
  const computing = (await readdir(assetsFolder)).filter((name) =>
    /^worker\.js$|\.wasm$/.test(name),
  );
  const program = await Promise.all(
    computing.sort().map((name) => readFile(join(assetsFolder, name))),
  );
  const key = [fingerprint, hashOf(program), pool.backend];
  return FileScoreStore.open({ folder: cacheFolder, key, windows, scaleDtype, warn });
}

/**
 * Perplexity of a model unquantized and with tensors in each of several formats, in one walk over
 * its weights.
 * @param selected tensors that a format is applied to; need not be given without formats
 * @param perLayer also each of them alone, for each format
 */
export async function measureFormats(
  pool: WorkerPool,
  checkpoint: Checkpoint,
  formats: readonly NumberFormat[],
  selected: readonly CheckpointTensor[],
  scaleDtype: ScaleDtype,
  perLayer: boolean,
  settings: PerplexitySettings,
  options: CallOptions = {},
): Promise<MeasuredPerplexity> {
  const { assetsFolder = __dirname, logitsFile } = settings;
  const { signal, onProgress } = options;
  const notes: string[] = [];
  const warn = settings.warn ?? ((message: string) => void notes.push(message));
  const model = await openLanguageModel(checkpoint);
  onProgress?.({ done: 0, total: 1, message: 'Tokenizing' });
  const begin = performance.now();
  const text = await readWindows(model, settings, assetsFolder, signal);
  const tokenizeSeconds = (performance.now() - begin) / 1000;

  const names = selected.map(({ name }) => name);
  const whole = formats.map((format) => variantOf(format, names));
  const alone = formats.map((format) =>
    perLayer ? names.map((name) => variantOf(format, [name])) : [],
  );
  // The only tensor alone is all of them.
  const variants = new Map([...whole, ...alone.flat()].map((variant) => [variant.id, variant]));

  const { ids } = text.windows;
  const run = (more: Pick<EvaluationSettings, 'store' | 'onLogits'>) => {
    const memoryBudgetBytes = settings.memoryBudgetBytes ?? DEFAULT_MEMORY_BUDGET;
    const evaluation = { scaleDtype, memoryBudgetBytes, ...more };
    return evaluate(pool, model, ids, [...variants.values()], evaluation, options);
  };
  let result: EvaluationResult;
  if (logitsFile !== undefined) {
    if (variants.size > 1) throw new Error('Logits can be saved of one model at a time only');
    const inputs = [...checkpoint.files.map(({ path }) => path), text.source];
    const { vocabularySize } = model.plan;
    const evaluateTo = (onLogits: EvaluationSettings['onLogits']) => run({ onLogits });
    result = await saveLogits(logitsFile, ids, vocabularySize, inputs, evaluateTo, signal);
  } else {
    const store = await openStore(pool, checkpoint, ids, scaleDtype, settings, warn);
    try {
      result = await run({ store });
      if (result.nonFinite > 0) await store?.putNonFinite(result.nonFinite);
      else result = { ...result, nonFinite: store?.nonFinite ?? 0 };
    } finally {
      await store?.close();
    }
  }

  const scores = new Map([...variants.keys()].map((id, index) => [id, result.variants[index]]));
  const perplexity = ({ id }: Variant) => perplexityOf(scores.get(id)!, result.baseline);
  const baseline = baselinePerplexity(result.baseline);
  return {
    text: describeText(text, baseline.tokens, settings.perDocument),
    baseline,
    formats: whole.map((variant, index) => ({
      whole: perplexity(variant),
      alone: alone[index].map(perplexity),
    })),
    notes: [...textNotes(text, model), ...model.plan.notes, ...nonFiniteNotes(result), ...notes],
    tokenizeSeconds,
    forwardSeconds: result.forwardSeconds,
  };
}

function describeText(
  { source, bundled, windows }: EvaluationText,
  tokens: number,
  separator: string | undefined,
): PerplexityText {
  const { protocol, context, ids, totalTokens } = windows;
  return {
    source,
    bundled,
    protocol,
    separator,
    context,
    windows: ids.length,
    tokens,
    totalTokens,
  };
}

function textNotes({ bundled, windows }: EvaluationText, { plan }: LanguageModel): string[] {
  const notes: string[] = [];
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

function nonFiniteNotes({ nonFinite }: EvaluationResult): string[] {
  if (nonFinite === 0) return [];
  const weights = nonFinite === 1 ? '1 weight is' : `${nonFinite} weights are`;
  return [`${weights} NaN or infinite and counted as 0 in every perplexity.`];
}
