import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import type { ModelPlan } from '../config/plan.js';
import { BlockRunner } from './blockRunner.js';
import { BlockWalk } from './blockWalk.js';
import { placeChannelScales } from './channelScales.js';
import { cut, type Cutting } from './cutting.js';
import { Embedder } from './embedder.js';
import { EvaluationMemory } from './evaluationMemory.js';
import { EvaluationProgress } from './evaluationProgress.js';
import { ExpertRunner } from './expertRunner.js';
import { FinalInputs } from './finalInputs.js';
import { HiddenStates } from './hiddenStates.js';
import { InputObservation, type SeenInputs } from './inputObservation.js';
import { StateKeeper, type KeptStates } from './keptStates.js';
import { FORK, findFork, type ForkedVariant } from './passes.js';
import { hasExperts, RoutedStates } from './routedStates.js';
import { Scorer } from './scorer.js';
import type { EvaluationRequest, ScoreStore, Variant } from './types.js';
import { WalkEnd } from './walkEnd.js';
import { WalkStart } from './walkStart.js';
import { WeightStore } from './weightStore.js';

export interface EvaluationSetup extends EvaluationRequest {
  /** Indices of the windows to evaluate. */
  readonly pending: readonly number[];
  /** What the observer has seen. */
  readonly seen: SeenInputs;
  /** The evaluation that this one goes on for, on another machine. */
  readonly before?: Pick<Evaluation, 'kept' | 'weights'>;
}

/** What a walk gives. */
export interface EvaluationOutput {
  /**
   * Receives the scores of each pass when they are there; absent: nothing is scored.
   * @param isMixed another machine computed part of these
   */
  put?(...scores: [...Parameters<ScoreStore['put']>, isMixed: boolean]): Promise<void>;
  /** Hears which windows are done. */
  onBatch?(windows: readonly number[]): void;
}

/** Whether states are of a window that is to be evaluated, and of every model that has its own there. */
function isOf(
  { batch, block, states }: KeptStates,
  pending: readonly number[],
  variants: readonly ForkedVariant[],
): boolean {
  return (
    batch.windows.some((window) => pending.includes(window)) &&
    variants.every(({ variant, fork }) => fork >= block || states.has(variant.id))
  );
}

/** An observed variant shares nothing, so that it passes through all blocks itself. */
function forkOf(variant: Variant, plan: ModelPlan, observation?: InputObservation): number {
  return observation?.isOf(variant) ? FORK.embedding : findFork(variant, plan);
}

/** One evaluation: its memory, and the walk over batches and passes. */
export class Evaluation {
  private readonly plan: ModelPlan;
  private readonly signal?: AbortSignal;
  private readonly cutting: Cutting;
  private readonly memory: EvaluationMemory;
  readonly weights: WeightStore;
  /** Where another machine may have to go on. */
  private readonly keeper?: StateKeeper;
  /** Where another machine stopped in the first batch. */
  private readonly resumed?: KeptStates;
  private readonly states: HiddenStates;
  private readonly start: WalkStart;
  private readonly blocks: BlockWalk;
  private readonly end: WalkEnd;

  constructor(setup: EvaluationSetup, { signal, onProgress }: CallOptions) {
    const { pool, model, windows, variants = [], settings, pending, before } = setup;
    const { plan, opened } = model;
    this.plan = plan;
    this.signal = signal;
    const { observer, scaleDtype, memoryBudgetBytes, onHidden, onLogits } = settings;
    const observation = observer && new InputObservation(pool, observer, plan, setup.seen);
    const forked = variants.map((variant) => ({
      variant,
      fork: forkOf(variant, plan, observation),
    }));
    const singly = onLogits !== undefined;
    const { flopsPerBatch } = pool;
    const budget = { memoryBudgetBytes, flopsPerBatch, singly };
    const kept = before?.kept;
    const begun = kept && isOf(kept, pending, forked) ? kept.batch : undefined;
    const cutting = cut({ plan, windows, pending, variants: forked, begun, ...budget });
    this.cutting = cutting;
    if (begun && cutting.batches[0] === begun) this.resumed = kept;
    if (setup.fallback && !before && cutting.passes.length === 1) {
      this.keeper = new StateKeeper(pool, plan.hiddenSize);
    }
    const { batches, longestWindow, maxRows, slots, runners, flopsPerRow } = cutting;
    const total = batches.reduce((sum, { rows }) => sum + rows * flopsPerRow, 0);
    const progress = new EvaluationProgress(total, windows.length, onProgress);

    const weights = new WeightStore({
      pool,
      model: opened,
      scaleDtype,
      signal,
      before: before?.weights,
    });
    this.weights = weights;
    const memory = new EvaluationMemory({ pool, plan, variants, longestWindow, weights });
    this.memory = memory;
    const { fixed, rotary, weights: area, experts: regions } = memory;
    const { hiddenSize } = plan;
    const states = new HiddenStates({ pool, hiddenSize, windows, cutting, rotary });
    this.states = states;
    const scales = placeChannelScales(pool, variants);
    const routed = hasExperts(plan)
      ? new RoutedStates({ pool, plan, states: states.start, rows: slots * maxRows })
      : undefined;
    const blocks = new BlockRunner({
      pool,
      plan,
      longestWindow,
      maxRows: maxRows * runners,
      routed,
      signal,
    });
    const experts =
      routed && regions && new ExpertRunner({ pool, plan, weights, routed, regions, signal });
    const embedder = new Embedder({ pool, plan, fixed, weights, scaleDtype, maxRows, signal });
    const finalInputs = new FinalInputs({ pool, plan, signal });
    const scorer = new Scorer({ pool, plan, weights, area, maxRows, maxModels: runners, signal });

    const shared = { pool, plan, windows, states, observation, progress };
    this.start = new WalkStart({ ...shared, embedder });
    const { keeper } = this;
    this.blocks = new BlockWalk({
      ...{ ...shared, weights, memory, blocks, experts, keeper, onHidden },
      scales,
    });
    this.end = new WalkEnd({ ...shared, fixed, finalInputs, scorer, onLogits });
  }

  /** Linear weights that are NaN or ±Inf; they count as 0. */
  get nonFinite(): number {
    return this.weights.countNonFinite(this.plan.head.weight);
  }

  /** Hidden states with which another machine can go on. */
  get kept(): KeptStates | undefined {
    return this.keeper?.kept;
  }

  /** Blocks that the first batch has behind it already. */
  get blocksBefore(): number {
    return this.resumed?.block ?? 0;
  }

  /** Walks. */
  async run({ put, onBatch }: EvaluationOutput): Promise<void> {
    await this.memory.fixed.load();
    for (const batch of this.cutting.batches) {
      this.keeper?.begin(batch);
      const resumed = batch === this.resumed?.batch ? this.resumed : undefined;
      for (const pass of this.cutting.passes) {
        throwIfCancelled(this.signal);
        const walk = this.states.walk(batch, pass);
        const live = resumed ? this.start.resume(walk, resumed) : await this.start.embed(walk);
        await this.blocks.run(walk, live, resumed?.block ?? Math.max(pass.start, 0));
        await this.end.observe(walk);
        await put?.(await this.end.score(walk), this.nonFinite, resumed !== undefined);
      }
      onBatch?.(batch.windows);
    }
  }
}
