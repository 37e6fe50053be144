import type { TaskMachine } from '../../compute/taskMachine.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { tensorsForAll, type BlockPlan, type ModelPlan } from '../config/plan.js';
import { BlockRunner, type StateWindow } from './blockRunner.js';
import { BlockWeights } from './blockWeights.js';
import { placeChannelScales, type ChannelScalePlaces } from './channelScales.js';
import { isRouter } from '../forward/block.js';
import { cut, SLOT, type Cutting } from './cutting.js';
import { Embedder } from './embedder.js';
import { EvaluationMemory } from './evaluationMemory.js';
import { ExpertRunner } from './expertRunner.js';
import { FinalInputs } from './finalInputs.js';
import { InputObservation, type SeenInputs } from './inputObservation.js';
import { StateKeeper, type KeptStates } from './keptStates.js';
import { FORK, findFork, type Batch, type ForkedVariant, type Pass } from './passes.js';
import { layOutBlock, placeBlock } from './placement.js';
import { hasExperts, RoutedStates } from './routedStates.js';
import { Scorer, type FinalState } from './scorer.js';
import {
  BASELINE,
  type EvaluationRequest,
  type EvaluationSettings,
  type ScoreStore,
  type Variant,
} from './types.js';
import { WeightStore } from './weightStore.js';
import { countFlopsFrom, countHeadFlops, countSharedFlops } from './work.js';

/** The unquantized model, or a variant of it, on its way through the blocks. */
interface Runner {
  readonly variant?: Variant;
  /** Address of its hidden states. */
  readonly hidden: number;
}

/** A runner that shares the unquantized model's states up to a block. */
interface ForkedRunner extends Runner {
  readonly fork: number;
}

/** A batch on its way through a pass. */
interface Walk {
  readonly batch: Batch;
  readonly pass: Pass;
  /** The pass that takes the unquantized model to the end. */
  readonly isFirst: boolean;
  readonly base: Runner;
  /** Address of the unquantized model's last hidden states. */
  readonly final: number;
  readonly members: readonly ForkedRunner[];
}

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

/** One evaluation: its memory, and the walk over batches, passes and blocks. */
export class Evaluation {
  private readonly pool: TaskMachine;
  private readonly plan: ModelPlan;
  private readonly windows: readonly Int32Array[];
  private readonly settings: EvaluationSettings;
  private readonly cutting: Cutting;
  private readonly observation?: InputObservation;
  readonly weights: WeightStore;
  /** Where another machine may have to go on. */
  private readonly keeper?: StateKeeper;
  /** Where another machine stopped in the first batch. */
  private readonly resumed?: KeptStates;
  private readonly memory: EvaluationMemory;
  private readonly blocks: BlockRunner;
  /** Of models with experts. */
  private readonly experts?: ExpertRunner;
  private readonly embedder: Embedder;
  private readonly finalInputs: FinalInputs;
  private readonly scorer: Scorer;
  private readonly states: number;
  private readonly scales: ChannelScalePlaces;
  private readonly total: number;
  private done = 0;

  constructor(
    setup: EvaluationSetup,
    private readonly options: CallOptions,
  ) {
    const { pool, model, windows, variants = [], settings, pending, before } = setup;
    const { plan, opened } = model;
    const { signal } = options;
    this.pool = pool;
    this.plan = plan;
    this.windows = windows;
    this.settings = settings;
    const { observer, scaleDtype, memoryBudgetBytes } = settings;
    if (observer) this.observation = new InputObservation(pool, observer, plan, setup.seen);
    const forked = variants.map((variant) => ({ variant, fork: this.forkOf(variant) }));
    const singly = settings.onLogits !== undefined;
    const { flopsPerBatch } = pool;
    const budget = { memoryBudgetBytes, flopsPerBatch, singly };
    const states = before?.kept;
    const begun = states && isOf(states, pending, forked) ? states.batch : undefined;
    this.cutting = cut({ plan, windows, pending, variants: forked, begun, ...budget });
    if (begun && this.cutting.batches[0] === begun) this.resumed = states;
    if (setup.fallback && !before && this.cutting.passes.length === 1) {
      this.keeper = new StateKeeper(pool, plan.hiddenSize);
    }
    const { batches, longestWindow, maxRows, slots, runners, flopsPerRow } = this.cutting;
    this.total = batches.reduce((sum, { rows }) => sum + rows * flopsPerRow, 0);

    this.weights = new WeightStore({
      pool,
      model: opened,
      scaleDtype,
      signal,
      before: before?.weights,
    });
    const { weights } = this;
    this.memory = new EvaluationMemory({ pool, plan, variants, longestWindow, weights });
    this.states = pool.reserve(slots * this.stateBytes).start;
    this.scales = placeChannelScales(pool, variants);
    const routed = hasExperts(plan)
      ? new RoutedStates({ pool, plan, states: this.states, rows: slots * maxRows })
      : undefined;
    this.blocks = new BlockRunner({
      pool,
      plan,
      longestWindow,
      maxRows: maxRows * runners,
      routed,
      signal,
    });
    const { fixed, weights: area, experts: regions } = this.memory;
    if (routed && regions) {
      this.experts = new ExpertRunner({ pool, plan, weights, routed, regions, signal });
    }
    this.embedder = new Embedder({ pool, plan, fixed, weights, scaleDtype, maxRows, signal });
    this.finalInputs = new FinalInputs({ pool, plan, signal });
    this.scorer = new Scorer({ pool, plan, weights, area, maxRows, maxModels: runners, signal });
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
        throwIfCancelled(this.options.signal);
        const walk = this.begin(batch, pass);
        const live = resumed ? this.resume(walk, resumed) : await this.embed(walk);
        await this.walkBlocks(walk, live, resumed?.block ?? Math.max(pass.start, 0));
        await this.finish(
          walk,
          put && ((scores, nonFinite) => put(scores, nonFinite, resumed !== undefined)),
        );
      }
      onBatch?.(batch.windows);
    }
  }

  private begin(batch: Batch, pass: Pass): Walk {
    const { passes, firstSlot } = this.cutting;
    const base: Runner = { hidden: this.slot(SLOT.base) };
    return {
      batch,
      pass,
      isFirst: pass === passes[0],
      base,
      final: passes.length > 1 ? this.slot(SLOT.final) : base.hidden,
      members: pass.variants.map(({ variant, fork }, index) => ({
        variant,
        fork,
        hidden: this.slot(firstSlot + index),
      })),
    };
  }

  /** Brings in the states before the first block. @returns the variants that have their own already */
  private async embed({ batch, isFirst, base, members }: Walk): Promise<ForkedRunner[]> {
    const embed = (runner: Runner, isObserved: boolean) =>
      this.embedder.embed({
        windows: batch.windows.map((index) => ({ index, ids: this.windows[index] })),
        hidden: runner.hidden,
        variant: runner.variant,
        observation: isObserved ? this.observation?.embedding : undefined,
      });
    if (isFirst) await embed(base, this.isObserved(base));
    else this.copy(this.slot(SLOT.kept), base.hidden, batch);
    const live = members.filter(({ fork }) => fork === FORK.embedding);
    for (const member of live) await embed(member, this.isObserved(member));
    return live;
  }

  /** Brings in the states with which another machine stopped. @returns the variants that have their own already */
  private resume({ batch, base, members }: Walk, { block, states }: KeptStates): ForkedRunner[] {
    const { plan, pool } = this;
    const live = members.filter(({ fork }) => fork < block);
    let flops = 0;
    for (const { variant, hidden, fork } of [{ ...base, fork: 0 }, ...live]) {
      pool.write(hidden, states.get(variant?.id ?? BASELINE)!);
      flops += countFlopsFrom(fork, plan) - countFlopsFrom(block, plan);
    }
    this.advance(
      batch.rows * flops,
      this.placeOf(batch, `block ${block} of ${plan.blocks.length}`),
    );
    return live;
  }

  private async walkBlocks(walk: Walk, live: ForkedRunner[], first: number): Promise<void> {
    const { batch, pass, isFirst, base, final, members } = walk;
    const { length } = this.plan.blocks;
    // How far the unquantized model must go: to the end once, later only to where others fork.
    const forks = members.map(({ fork }) => fork).filter((fork) => fork < length);
    const baseEnd = isFirst ? length : Math.max(pass.keepAt ?? 0, ...forks);
    for (let block = first; block < length; block++) {
      if (block === pass.keepAt) this.copy(base.hidden, this.slot(SLOT.kept), batch);
      for (const member of members.filter(({ fork }) => fork === block)) {
        this.copy(base.hidden, member.hidden, batch);
        live.push(member);
      }
      const runners = block < baseEnd ? [base, ...live] : live;
      if (runners.length > 0) await this.runBlock(block, runners, walk);
      this.keeper?.keep(
        block + 1,
        new Map([base, ...live].map(({ variant, hidden }) => [variant?.id ?? BASELINE, hidden])),
      );
      if (isFirst) await this.reportHidden(block, base.hidden, batch);
    }
    if (final !== base.hidden && isFirst) this.copy(base.hidden, final, batch);
  }

  /** What follows the blocks. */
  private async finish(walk: Walk, put: ScoreStore['put'] | undefined): Promise<void> {
    const { batch, final, members } = walk;
    const runners: readonly Runner[] = [
      { hidden: final },
      ...members.map(({ variant, fork, hidden }) => ({
        variant,
        hidden: fork < this.plan.blocks.length ? hidden : final,
      })),
    ];
    const wanted = this.observation?.final;
    if (wanted) {
      for (const runner of runners) {
        if (!this.isObservedIn(walk, runner)) continue;
        const windows = this.stateWindows(runner.hidden, batch);
        await this.finalInputs.observe(windows, this.memory.fixed.end(runner.variant), wanted);
      }
    }
    if (!put) return;
    const states = runners.map((runner) => this.finalState(runner));
    const windows = batch.windows.map((index) => this.windows[index]);
    const { onLogits } = this.settings;
    if (onLogits) {
      const deliver = (index: number, logits: Float32Array) =>
        onLogits(batch.windows[index], logits);
      await this.scorer.logits(states[states.length - 1], windows, deliver);
    }
    const flops = countHeadFlops(this.plan);
    const scores = await this.scorer.score(states, windows, (rows) =>
      this.advance(rows * flops, this.placeOf(batch, 'output')),
    );
    const names = [BASELINE, ...members.map(({ variant }) => variant!.id)];
    await put(
      names.flatMap((variant, state) =>
        batch.windows.map((window, index) => ({ variant, window, score: scores[state][index] })),
      ),
      this.nonFinite,
    );
  }

  /** Takes runners through one block, those with equal weights together. */
  private async runBlock(index: number, runners: readonly Runner[], walk: Walk): Promise<void> {
    const { plan, memory } = this;
    const { batch } = walk;
    const block = plan.blocks[index];
    const layout = layOutBlock(block, memory.weights.start, plan.hiddenSize);
    const weights = new BlockWeights({
      layout,
      tensors: tensorsForAll(block),
      weights: this.weights,
      stored: memory.stored,
    });
    const groups = weights.groupEqual(runners);
    await weights.keepStored(groups.map(([{ variant }]) => variant));
    const flops = countSharedFlops(block);
    const message = this.placeOf(batch, `block ${index + 1} of ${plan.blocks.length}`);
    const onRows = (rows: number) => this.advance(rows * flops, message);
    const observation = this.observation?.ofBlock(index);
    for (const group of groups) {
      const [{ variant }] = group;
      await weights.load(variant);
      const placed = placeBlock(block, layout, variant, this.scales);
      const run = (some: readonly Runner[], wanted?: typeof observation) =>
        this.blocks.run({
          block: placed,
          windows: some.flatMap(({ hidden }) => this.stateWindows(hidden, batch)),
          onRows,
          observation: wanted,
        });
      // Who is observed goes alone, so that nothing else is copied.
      const observed = observation && group.find((runner) => this.isObservedIn(walk, runner));
      if (observed) await run([observed], observation);
      await run(group.filter((runner) => runner !== observed));
    }
    weights.release();
    await this.runExperts(block, runners, batch, message);
  }

  /** Takes runners through the experts of a block, if it has any; its router has chosen. */
  private async runExperts(
    { feedForward: mixture }: BlockPlan,
    runners: readonly Runner[],
    batch: Batch,
    message: string,
  ): Promise<void> {
    if (!isRouter(mixture)) return;
    await this.experts!.run({
      mixture,
      runners: runners.map(({ variant, hidden }) => ({
        variant,
        windows: this.stateWindows(hidden, batch),
      })),
      onFlops: (done) => this.advance(done, message),
    });
  }

  /** An observed variant shares nothing, so that it passes through all blocks itself. */
  private forkOf(variant: Variant): number {
    return this.isObserved({ variant }) ? FORK.embedding : findFork(variant, this.plan);
  }

  private isObserved({ variant }: Pick<Runner, 'variant'>): boolean {
    return this.observation?.isOf(variant) ?? false;
  }

  /** The unquantized model takes part in several passes, but is observed once. */
  private isObservedIn({ isFirst }: Walk, runner: Runner): boolean {
    return this.isObserved(runner) && (isFirst || runner.variant !== undefined);
  }

  private async reportHidden(block: number, hidden: number, batch: Batch): Promise<void> {
    const { onHidden } = this.settings;
    if (!onHidden) return;
    const { hiddenSize } = this.plan;
    let at = hidden;
    for (const window of batch.windows) {
      const values = this.windows[window].length * hiddenSize;
      onHidden(window, block, (await this.pool.readFloats(at, values)).slice());
      at += values * 4;
    }
  }

  private stateWindows(hidden: number, batch: Batch): StateWindow[] {
    let row = 0;
    return batch.windows.map((index): StateWindow => {
      const rows = this.windows[index].length;
      const at = hidden + row * this.rowBytes;
      row += rows;
      return { index, hidden: at, rows, ...this.memory.rotary.of(rows) };
    });
  }

  private finalState({ variant, hidden }: Runner): FinalState {
    const { fixed } = this.memory;
    return {
      hidden,
      headChange: variant?.changes.get(this.plan.head.weight),
      headBias: fixed.headBias(variant),
      end: fixed.end(variant),
    };
  }

  private get rowBytes(): number {
    return this.plan.hiddenSize * 4;
  }

  private get stateBytes(): number {
    return this.cutting.maxRows * this.rowBytes;
  }

  private slot(index: number): number {
    return this.states + index * this.stateBytes;
  }

  private copy(from: number, to: number, { rows }: Batch): void {
    this.pool.copy(from, to, rows * this.rowBytes);
  }

  private advance(flops: number, message: string): void {
    // The unquantized model is taken to later forks again; that is not worth its own account.
    this.done = Math.min(this.total, this.done + flops);
    this.options.onProgress?.({ done: this.done, total: this.total, message });
  }

  private placeOf(batch: Batch, place: string): string {
    const [first] = batch.windows;
    const last = batch.windows[batch.windows.length - 1];
    const windows = first === last ? `window ${first + 1}` : `windows ${first + 1}–${last + 1}`;
    return `${place}, ${windows} of ${this.windows.length}`;
  }
}
