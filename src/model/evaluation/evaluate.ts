import type { TaskMachine } from '../../compute/taskMachine.js';
import { isGpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { Evaluation } from './evaluation.js';
import { checkWindows } from '../text/windowCheck.js';
import { visible } from '../../storage/errors.js';
import type { InputObserver } from './inputObserver.js';
import { checkVariants } from './variants.js';
import {
  BASELINE,
  type EvaluationRequest,
  type EvaluationResult,
  type ScoreStore,
  type Variant,
  type WindowScore,
} from './types.js';

/** Scores of this evaluation, in memory, over those that are kept elsewhere. */
class Scores {
  private readonly known = new Map<string, WindowScore>();

  /** @param store may be exchanged for another; what was scored stays known */
  constructor(public store: ScoreStore | undefined) {}

  get(variant: string, window: number): WindowScore | undefined {
    return this.known.get(`${window} ${variant}`) ?? this.store?.get(variant, window);
  }

  async put(scores: Parameters<ScoreStore['put']>[0], nonFinite: number): Promise<void> {
    for (const { variant, window, score } of scores) {
      this.known.set(`${window} ${variant}`, score);
    }
    await this.store?.put(scores, nonFinite);
  }
}

/**
 * Scores windows of tokens with a model and with variants of it.
 *
 * The walk goes block by block: a block's weights are read once for all variants of a batch of
 * windows. A variant shares the unquantized model's hidden states up to the first block in which it
 * differs. Batches are as large as the memory budget allows; finished ones go to the store, and
 * what the store has is not computed again.
 * @throws where a window cannot be run, or a variant's values do not belong to the model
 */
export async function evaluate(
  request: EvaluationRequest,
  options: CallOptions = {},
): Promise<EvaluationResult> {
  const begin = performance.now();
  check(request);
  const { windows, variants = [], settings } = request;
  const mustSeeAll = settings.onLogits !== undefined || settings.observer !== undefined;
  const scores = new Scores(mustSeeAll ? undefined : settings.store);
  let nonFinite: number | undefined;
  const missing = () => listMissing(request, scores);
  const run = async (pool: TaskMachine): Promise<void> => {
    const setup = { ...request, ...missing(), pool };
    if (setup.pending.length === 0) return;
    const evaluation = new Evaluation(setup, options);
    await evaluation.run((results, count) => scores.put(results, count));
    nonFinite = evaluation.nonFinite;
  };
  try {
    await run(request.pool);
  } catch (error) {
    // What sees everything in order cannot begin in the middle.
    if (!request.fallback || !isGpuFailure(error) || settings.observer) throw error;
    const { fallback } = request;
    scores.store = mustSeeAll ? undefined : fallback.store;
    fallback.onFailure(error, windows.length - missing().pending.length);
    await run(fallback.pool);
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

/** The windows that lack a score, and the variants that lack one in any of them. */
function listMissing(
  { windows, variants = [] }: EvaluationRequest,
  scores: Scores,
): { readonly pending: readonly number[]; readonly variants: readonly Variant[] } {
  const ids = [BASELINE, ...variants.map(({ id }) => id)];
  const pending = [...windows.keys()].filter((window) => ids.some((id) => !scores.get(id, window)));
  return {
    pending,
    variants: variants.filter(({ id }) => pending.some((window) => !scores.get(id, window))),
  };
}

/**
 * Takes windows through a model, and through variants of it if there are any, for nothing but what
 * the observer of the settings sees: windows are not scored.
 * @throws like {@link evaluate}
 */
export async function observeInputs(
  request: EvaluationRequest & { readonly settings: { readonly observer: InputObserver } },
  options: CallOptions = {},
): Promise<void> {
  check(request);
  const pending = [...request.windows.keys()];
  if (pending.length > 0) await new Evaluation({ ...request, pending }, options).run();
}

/** @throws where a request cannot be fulfilled */
function check({ model, windows, variants = [], settings }: EvaluationRequest): void {
  checkWindows(model.plan, windows);
  checkVariants(model, variants);
  const observed = settings.observer?.variant;
  if (observed !== undefined && !variants.some(({ id }) => id === observed)) {
    throw new Error(`There is no variant "${visible(observed)}" to observe`);
  }
}
