import type { WorkerPool } from '../../compute/workerPool.js';
import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import { BlockWeights } from './blockWeights.js';
import { BlockRunner, type StateWindow } from './blockRunner.js';
import { Embedder } from './embedder.js';
import { EvaluationMemory } from './evaluationMemory.js';
import { FORK, forkOf, planBatches, planPasses, type Batch, type Pass } from './passes.js';
import { Scorer, type FinalState } from './scorer.js';
import {
  BASELINE,
  type EvaluationSettings,
  type LanguageModel,
  type ScoreStore,
  type Variant,
} from './types.js';
import { WeightStore } from './weightStore.js';
import { blockFlops, flopsFrom, headFlops, variantFlops } from './work.js';

/** A batch ends after so much work, so that a crash costs minutes at most, */
const BATCH_FLOPS = 6e12;
/** but has so many rows at least, which make the weights' way into memory a small part of it. */
const BATCH_ROWS = 2048;
/** States beside those of a pass's variants where there are several passes. */
const SLOT = Object.freeze({ base: 0, kept: 1, final: 2, first: 3 });

/** The unquantized model, or a variant of it, on its way through the blocks. */
interface Runner {
  readonly variant?: Variant;
  /** Address of its hidden states. */
  readonly hidden: number;
}

/** One evaluation: how it is cut, its memory, and the walk over batches, passes and blocks. */
export class Evaluation {
  private readonly batches: readonly Batch[];
  private readonly passes: readonly Pass[];
  private readonly weights: WeightStore;
  private readonly memory: EvaluationMemory;
  private readonly blocks: BlockRunner;
  private readonly embedder: Embedder;
  private readonly scorer: Scorer;
  private readonly states: number;
  private readonly maxRows: number;
  private readonly total: number;
  private done = 0;

  /** @param pending indices of the windows to score */
  constructor(
    private readonly pool: WorkerPool,
    private readonly model: LanguageModel,
    private readonly windows: readonly Int32Array[],
    private readonly variants: readonly Variant[],
    private readonly settings: EvaluationSettings,
    pending: readonly number[],
    private readonly options: CallOptions,
  ) {
    const { plan, opened } = model;
    const { signal } = options;
    const longest = Math.max(...pending.map((index) => windows[index].length));
    const budgetRows = Math.floor(settings.memoryBudgetBytes / (plan.hiddenSize * 4));
    const rowsOfAll = Math.floor(budgetRows / (variants.length + 1));
    const single = rowsOfAll >= longest || variants.length === 0;
    const perPass = single
      ? Math.max(variants.length, 1)
      : Math.max(1, Math.floor(budgetRows / longest) - SLOT.first);
    this.passes = planPasses(variants, plan, perPass);
    const work = this.workPerRow();
    const batchRows = settings.onLogits
      ? 1
      : Math.min(
          single ? Math.max(rowsOfAll, longest) : longest,
          Math.max(BATCH_ROWS, Math.floor(BATCH_FLOPS / work)),
        );
    this.batches = planBatches(windows, pending, batchRows);
    this.maxRows = Math.max(...this.batches.map(({ rows }) => rows));
    this.total = this.batches.reduce((sum, { rows }) => sum + rows * work, 0);

    const { scaleDtype } = settings;
    this.weights = new WeightStore({ pool, model: opened, scaleDtype, signal });
    this.memory = new EvaluationMemory({
      pool,
      plan,
      variants,
      longestWindow: longest,
      weights: this.weights,
    });
    const slots = this.passes.length > 1 ? SLOT.first + perPass : 1 + variants.length;
    this.states = pool.reserve(slots * this.stateBytes).start;
    const runners = this.passes.length > 1 ? perPass + 1 : slots;
    this.blocks = new BlockRunner(pool, plan, longest, this.maxRows * runners, signal);
    this.embedder = new Embedder(
      pool,
      model,
      this.memory,
      this.weights,
      settings,
      this.maxRows,
      signal,
    );
    this.scorer = new Scorer(
      pool,
      plan,
      this.weights,
      this.memory.weights,
      this.maxRows,
      runners,
      signal,
    );
  }

  /** Linear weights that are NaN or ±Inf; they count as 0. */
  get nonFinite(): number {
    return this.weights.nonFinite;
  }

  /** @param put receives the scores of each pass when they are there */
  async run(put: ScoreStore['put']): Promise<void> {
    await this.memory.fixed.load();
    for (const batch of this.batches) {
      for (const pass of this.passes) {
        throwIfCancelled(this.options.signal);
        await this.runPass(batch, pass, put);
      }
    }
  }

  private async runPass(batch: Batch, pass: Pass, put: ScoreStore['put']): Promise<void> {
    const { plan } = this.model;
    const first = pass === this.passes[0];
    const several = this.passes.length > 1;
    const windows = batch.windows.map((index) => this.windows[index]);
    const members = pass.variants.map((variant, index) => ({
      variant,
      fork: forkOf(variant, plan),
      hidden: this.slot((several ? SLOT.first : SLOT.base + 1) + index),
    }));
    const base: Runner = { hidden: this.slot(SLOT.base) };
    const final = several ? this.slot(SLOT.final) : base.hidden;
    if (first) await this.embedder.embed(windows, base.hidden, undefined);
    else this.copy(this.slot(SLOT.kept), base.hidden, batch);
    const live: Runner[] = [];
    for (const member of members.filter(({ fork }) => fork === FORK.embedding)) {
      await this.embedder.embed(windows, member.hidden, member.variant);
      live.push(member);
    }
    // How far the unquantized model must go: to the end once, later only to where others fork.
    const forks = members.map(({ fork }) => fork).filter((fork) => fork < plan.blocks.length);
    const baseEnd = first ? plan.blocks.length : Math.max(pass.keepAt ?? 0, ...forks);
    for (let block = Math.max(pass.start, 0); block < plan.blocks.length; block++) {
      if (block === pass.keepAt) this.copy(base.hidden, this.slot(SLOT.kept), batch);
      for (const member of members.filter(({ fork }) => fork === block)) {
        this.copy(base.hidden, member.hidden, batch);
        live.push(member);
      }
      const runners = block < baseEnd ? [base, ...live] : live;
      if (runners.length > 0) await this.runBlock(block, runners, batch);
      if (first) this.reportHidden(block, base.hidden, batch);
    }
    if (first && several) this.copy(base.hidden, final, batch);

    const states = [
      this.finalState({ hidden: final }),
      ...members.map(({ variant, fork, hidden }) =>
        this.finalState({ variant, hidden: fork < plan.blocks.length ? hidden : final }),
      ),
    ];
    const { onLogits } = this.settings;
    if (onLogits) {
      const deliver = (index: number, logits: Float32Array) =>
        onLogits(batch.windows[index], logits);
      await this.scorer.logits(states[states.length - 1], windows, deliver);
    }
    const flops = headFlops(plan);
    const scores = await this.scorer.score(states, windows, (rows) =>
      this.advance(rows * flops, this.placeOf(batch, 'output')),
    );
    const names = [BASELINE, ...members.map(({ variant }) => variant.id)];
    await put(
      names.flatMap((variant, state) =>
        batch.windows.map((window, index) => ({ variant, window, score: scores[state][index] })),
      ),
    );
  }

  /** Takes runners through one block, those with equal weights together. */
  private async runBlock(index: number, runners: readonly Runner[], batch: Batch): Promise<void> {
    const { plan } = this.model;
    const block = plan.blocks[index];
    const weights = new BlockWeights({
      block,
      hiddenSize: plan.hiddenSize,
      weights: this.weights,
      area: this.memory.weights,
      stored: this.memory.stored,
    });
    const groups = new Map<string, Runner[]>();
    for (const runner of runners) {
      const key = weights.keyOf(runner.variant);
      groups.set(key, [...(groups.get(key) ?? []), runner]);
    }
    await weights.keepStored([...groups.values()].map(([{ variant }]) => variant));
    const flops = blockFlops(block);
    const message = this.placeOf(batch, `block ${index + 1} of ${plan.blocks.length}`);
    for (const group of groups.values()) {
      await weights.load(group[0].variant);
      const windows = group.flatMap(({ hidden }) => this.stateWindows(hidden, batch));
      await this.blocks.run(weights.placed, windows, (rows) => this.advance(rows * flops, message));
    }
    weights.release();
  }

  private reportHidden(block: number, hidden: number, batch: Batch): void {
    const { onHidden } = this.settings;
    if (!onHidden) return;
    const { hiddenSize } = this.model.plan;
    let at = hidden;
    for (const window of batch.windows) {
      const values = this.windows[window].length * hiddenSize;
      onHidden(window, block, new Float32Array(this.pool.memory.buffer, at, values).slice());
      at += values * 4;
    }
  }

  private stateWindows(hidden: number, batch: Batch): StateWindow[] {
    let row = 0;
    return batch.windows.map((index): StateWindow => {
      const rows = this.windows[index].length;
      const at = hidden + row * this.rowBytes;
      row += rows;
      return { hidden: at, rows, rotary: this.memory.rotary(rows) };
    });
  }

  private finalState({ variant, hidden }: Runner): FinalState {
    const { fixed } = this.memory;
    return {
      hidden,
      headChange: variant?.changes.get(this.model.plan.head.weight),
      headBias: fixed.headBias(variant),
      end: fixed.end(variant),
    };
  }

  private get rowBytes(): number {
    return this.model.plan.hiddenSize * 4;
  }

  private get stateBytes(): number {
    return this.maxRows * this.rowBytes;
  }

  private slot(index: number): number {
    return this.states + index * this.stateBytes;
  }

  private copy(from: number, to: number, { rows }: Batch): void {
    new Uint8Array(this.pool.memory.buffer).copyWithin(to, from, from + rows * this.rowBytes);
  }

  /** Multiplications and additions of all passes for one row. */
  private workPerRow(): number {
    const { plan } = this.model;
    const own = this.variants.reduce((sum, variant) => sum + variantFlops(variant, plan), 0);
    // Each pass scores the unquantized model again.
    return flopsFrom(0, plan) + (this.passes.length - 1) * headFlops(plan) + own;
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
