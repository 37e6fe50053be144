import type { TaskMachine } from '../../compute/taskMachine.js';
import { isGpuFailure } from '../../kernels/webgpu/gpuFailure.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { Evaluation, type EvaluationSetup } from './evaluation.js';
import { SeenInputs } from './inputObservation.js';
import { checkWindows } from '../text/windowCheck.js';
import { visible } from '../../storage/errors.js';
import type { InputObserver } from './inputObserver.js';
import { checkVariants } from './variants.js';
import {
  BASELINE,
  type EvaluationRequest,
  type EvaluationResult,
  type EvaluationSettings,
  type Fallback,
  type ScoreStore,
  type Variant,
  type WindowScore,
} from './types.js';

type OnLogits = NonNullable<EvaluationSettings['onLogits']>;

/** Scores of this evaluation, in memory, over those that are kept elsewhere. */
class Scores {
  private readonly known = new Map<string, WindowScore>();

  /** @param store may be exchanged for another; what was scored stays known */
  constructor(public store: ScoreStore | undefined) {}

  get(variant: string, window: number): WindowScore | undefined {
    return this.known.get(`${window} ${variant}`) ?? this.store?.get(variant, window);
  }

  /** @param isMixed several machines computed these: they are those of none, and not kept */
  async put(
    scores: Parameters<ScoreStore['put']>[0],
    nonFinite: number,
    isMixed: boolean,
  ): Promise<void> {
    for (const { variant, window, score } of scores) {
      this.known.set(`${window} ${variant}`, score);
    }
    if (!isMixed) await this.store?.put(scores, nonFinite);
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
  const { onLogits } = settings;
  await withFallback(
    { ...request, settings: { ...settings, onLogits: onLogits && onceEach(onLogits) } },
    {
      missing: () => listMissing(request, scores),
      run: async (evaluation) => {
        await evaluation.run({ put: (...pass) => scores.put(...pass) });
        nonFinite = evaluation.nonFinite;
      },
      onFallback: ({ store }) => (scores.store = mustSeeAll ? undefined : store),
    },
    options,
  );
  throwIfCancelled(options.signal);
  const all = (id: string) => [...windows.keys()].map((window) => scores.get(id, window)!);
  return {
    baseline: all(BASELINE),
    variants: variants.map(({ id }) => all(id)),
    nonFinite,
    forwardSeconds: (performance.now() - begin) / 1000,
  };
}

/** A job for one machine after the other. */
interface Walks {
  /** What is still to be done. */
  missing(): Pick<EvaluationSetup, 'pending' | 'variants'>;
  run(evaluation: Evaluation): Promise<void>;
  /** Called before another machine goes on. */
  onFallback?(fallback: Fallback): void;
}

/** Runs an evaluation, and where its machine fails goes on with the next, from the last states that are known. */
async function withFallback(
  request: EvaluationRequest,
  { missing, run, onFallback }: Walks,
  options: CallOptions,
): Promise<void> {
  const seen = new SeenInputs();
  const prepare = (pool: TaskMachine, before?: Evaluation): Evaluation | undefined => {
    const setup = { ...request, ...missing(), pool, seen, before };
    return setup.pending.length > 0 ? new Evaluation(setup, options) : undefined;
  };
  let first: Evaluation | undefined;
  try {
    first = prepare(request.pool);
    if (first) await run(first);
  } catch (error) {
    const { fallback, windows } = request;
    if (!fallback || !isGpuFailure(error)) throw error;
    onFallback?.(fallback);
    const next = prepare(fallback.pool, first);
    const done = windows.length - missing().pending.length;
    fallback.onFailure(error, done, next?.blocksBefore ?? 0);
    if (next) await run(next);
  }
}

/** Logits of each window once, also where a window is run again. */
function onceEach(onLogits: OnLogits): OnLogits {
  const delivered = new Set<number>();
  return async (window, logits) => {
    if (delivered.has(window)) return;
    await onLogits(window, logits);
    delivered.add(window);
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
  const done = new Set<number>();
  const onBatch = (windows: readonly number[]) => windows.forEach((window) => done.add(window));
  await withFallback(
    request,
    {
      missing: () => ({
        pending: [...request.windows.keys()].filter((window) => !done.has(window)),
        variants: request.variants,
      }),
      run: (evaluation) => evaluation.run({ onBatch }),
    },
    options,
  );
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
