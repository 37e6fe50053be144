import type { WorkerPool } from '../../compute/workerPool.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { Evaluation } from './evaluation.js';
import { checkWindows } from '../text/windowCheck.js';
import { checkVariants } from './variants.js';
import {
  BASELINE,
  type EvaluationResult,
  type EvaluationSettings,
  type LanguageModel,
  type ScoreStore,
  type Variant,
  type WindowScore,
} from './types.js';

/** Scores of this evaluation, in memory, over those that are kept elsewhere. */
class Scores {
  private readonly known = new Map<string, WindowScore>();

  constructor(private readonly store: ScoreStore | undefined) {}

  get(variant: string, window: number): WindowScore | undefined {
    return this.known.get(`${window} ${variant}`) ?? this.store?.get(variant, window);
  }

  async put(scores: Parameters<ScoreStore['put']>[0]): Promise<void> {
    for (const { variant, window, score } of scores) {
      this.known.set(`${window} ${variant}`, score);
    }
    await this.store?.put(scores);
  }
}

/**
 * Scores windows of tokens with a model and with variants of it.
 *
 * The walk goes block by block: a block's weights are read once for all variants of a batch of
 * windows. A variant shares the unquantized model's hidden states up to the first block in which it
 * differs. Batches are as large as the memory budget allows; finished ones go to the store, and
 * what the store has is not computed again.
 * @param windows token ids, at least two each
 * @param variants ids must differ
 * @throws where a window cannot be run, or a variant's values do not belong to the model
 */
export async function evaluate(
  pool: WorkerPool,
  model: LanguageModel,
  windows: readonly Int32Array[],
  variants: readonly Variant[],
  settings: EvaluationSettings,
  options: CallOptions = {},
): Promise<EvaluationResult> {
  const begin = performance.now();
  checkWindows(model.plan, windows);
  checkVariants(model, variants);
  const scores = new Scores(settings.onLogits ? undefined : settings.store);
  const ids = [BASELINE, ...variants.map(({ id }) => id)];
  const pending = [...windows.keys()].filter((window) => ids.some((id) => !scores.get(id, window)));
  const missing = variants.filter(({ id }) => pending.some((window) => !scores.get(id, window)));
  let nonFinite = 0;
  if (pending.length > 0) {
    const evaluation = new Evaluation(pool, model, windows, missing, settings, pending, options);
    await evaluation.run((results) => scores.put(results));
    nonFinite = evaluation.nonFinite;
  }
  throwIfCancelled(options.signal);
  const all = (id: string) => [...windows.keys()].map((window) => scores.get(id, window)!);
  return {
    baseline: all(BASELINE),
    variants: variants.map(({ id }) => all(id)),
    nonFinite,
    forwardSeconds: (performance.now() - begin) / 1000,
  };
}
