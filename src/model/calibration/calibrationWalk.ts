import { throwIfCancelled, type CallOptions } from '../../rpc/rpc.js';
import type { BlockPlan, LinearPlan } from '../config/plan.js';
import { Embedder } from '../evaluation/embedder.js';
import type { StateWindow } from '../evaluation/blockRunner.js';
import { ExpertRunner } from '../evaluation/expertRunner.js';
import { reserveExpertRegions } from '../evaluation/expertRegions.js';
import { FixedTensors } from '../evaluation/fixedTensors.js';
import { layOutParts, placeBlock, type Layout } from '../evaluation/placement.js';
import { RotaryTables } from '../evaluation/rotaryTables.js';
import { hasExperts, RoutedStates } from '../evaluation/routedStates.js';
import type { TensorChange, Variant } from '../evaluation/types.js';
import { WeightStore } from '../evaluation/weightStore.js';
import { isRouter, linearsAt, INPUT_SITES, type InputSite } from '../forward/block.js';
import type { PlacedBlock } from '../forward/tasks.js';
import { BlockStages, countAttendedBytes } from './blockStages.js';
import { ExpertSites, type ExpertSite, type ExpertSiteName } from './expertSites.js';
import { siteOfAllRows, type ObservedSite } from './observedSite.js';
import type { CalibrationRequest, WalkRequest } from './types.js';
import { Workspace, type WorkspaceUse } from './workspace.js';

/** A block that calibration has come to; hidden states stand before it. */
export interface VisitedBlock {
  readonly index: number;
  readonly plan: BlockPlan;
  readonly placed: PlacedBlock;
  readonly layout: Layout;
}

/** Takes calibration windows through a model, block by block. */
export class CalibrationWalk<Request extends WalkRequest = CalibrationRequest> {
  readonly stages: BlockStages;
  readonly workspace: Workspace;
  readonly weights: WeightStore;
  private readonly fixed: FixedTensors;
  private readonly embedder: Embedder;
  /** Where hidden states lie, one window behind the other. */
  readonly windows: readonly StateWindow[];
  private readonly experts?: ExpertRunner;
  private readonly sitesOfExperts?: ExpertSites;
  /** Address of the weights of the block at work, … */
  private readonly packed: number;
  /** … but those of the feed-forward part's last map; absent: they lie with the others. */
  private readonly downAt?: number;

  constructor(
    readonly request: Request,
    readonly options: CallOptions,
    memory: WorkspaceUse = 'apart',
  ) {
    const { pool, model, windows, scaleDtype } = request;
    const { plan, opened } = model;
    const { signal } = options;
    const { hiddenSize, blocks } = plan;
    const rows = windows.reduce((sum, { length }) => sum + length, 0);
    const longestWindow = Math.max(...windows.map(({ length }) => length));
    const hidden = pool.reserve(rows * hiddenSize * 4).start;
    const rotary = new RotaryTables(pool, plan, longestWindow);
    let row = 0;
    this.windows = windows.map(({ length }, index): StateWindow => {
      const at = hidden + row * hiddenSize * 4;
      row += length;
      return { index, hidden: at, rows: length, ...rotary.of(length) };
    });
    this.weights = new WeightStore({ pool, model: opened, scaleDtype, signal });
    const { weights } = this;
    const routed = hasExperts(plan)
      ? new RoutedStates({ pool, plan, states: hidden, rows })
      : undefined;
    const regions = reserveExpertRegions({ pool, plan, weights, maxStored: undefined });
    if (routed && regions) {
      this.experts = new ExpertRunner({ pool, plan, weights, routed, regions, signal });
      const states = { hidden, rows, signal };
      this.sitesOfExperts = new ExpertSites({ pool, plan, weights, routed, regions, ...states });
    }
    this.workspace = new Workspace(pool, plan, countAttendedBytes(plan, rows), memory);
    const { attended } = this.workspace;
    this.stages = new BlockStages({ pool, plan, windows: this.windows, attended, routed, signal });
    // Once its weights are chosen, what they were chosen with is not needed any more.
    this.downAt = memory === 'shared' ? attended : undefined;
    const sizes = blocks.map((block) => layOutParts(block, 0, hiddenSize, this.downAt).bytes);
    this.packed = pool.reserve(Math.max(...sizes)).start;
    this.fixed = new FixedTensors({ pool, plan, variants: [], weights });
    const { fixed } = this;
    const maxRows = rows;
    this.embedder = new Embedder({ pool, plan, fixed, weights, scaleDtype, maxRows, signal });
  }

  /**
   * Goes from block to block.
   * @param visit chooses a block's weights and takes the hidden states past it
   */
  async run(visit: (block: VisitedBlock) => Promise<void>): Promise<void> {
    const { model, windows } = this.request;
    const { signal, onProgress } = this.options;
    await this.fixed.load();
    const [{ hidden }] = this.windows;
    await this.embedder.embed({
      windows: windows.map((ids, index) => ({ index, ids })),
      hidden,
    });
    const total = model.plan.blocks.length;
    for (const [index, plan] of model.plan.blocks.entries()) {
      throwIfCancelled(signal);
      onProgress?.({ done: index, total, message: `block ${index + 1} of ${total}` });
      const layout = layOutParts(plan, this.packed, model.plan.hiddenSize, this.downAt);
      await visit({ index, plan, placed: placeBlock(plan, layout, undefined), layout });
    }
    onProgress?.({ done: total, total });
  }

  /** Brings norms and biases of a block into memory. */
  async loadVectors(
    { layout }: VisitedBlock,
    changeOf: (name: string) => TensorChange | undefined,
  ): Promise<void> {
    const vectors = [...layout.vectors].map(([name, at]) => ({ name, at, change: changeOf(name) }));
    await this.weights.loadVectors(vectors);
  }

  /** Brings the weights of some linear maps of a block into memory, to compute with. */
  async pack(
    { layout }: VisitedBlock,
    linears: readonly LinearPlan[],
    changeOf: (name: string) => TensorChange | undefined,
  ): Promise<void> {
    await this.weights.pack(
      linears.map((linear) => ({
        linear,
        at: layout.linears.get(linear)!,
        change: changeOf(linear.weight),
      })),
    );
  }

  /** Takes the hidden states past a block, with weights as a function has them. */
  async passBlock(
    block: VisitedBlock,
    changeOf: (name: string) => TensorChange | undefined,
  ): Promise<void> {
    await this.loadVectors(block, changeOf);
    for (const site of INPUT_SITES) {
      await this.pack(block, linearsAt(block.plan, site), changeOf);
      await this.pass(site, block, changeOf);
    }
  }

  /** Linear maps that all rows pass at a site, and what these take. */
  siteOf(block: VisitedBlock, site: InputSite): ObservedSite {
    return siteOfAllRows(this.stages, block, site);
  }

  /**
   * The same of each expert of a block, in their order: once attention's output has been passed and before the
   * feed-forward site is. None where a block has no experts.
   * @param changeOf how an expert's first maps are changed when the inputs of its last one are observed
   */
  async expertSitesOf(
    { plan: { feedForward } }: VisitedBlock,
    site: ExpertSiteName,
    changeOf: (name: string) => TensorChange | undefined,
  ): Promise<readonly ExpertSite[]> {
    return isRouter(feedForward) ? this.sitesOfExperts!.of(feedForward, site, changeOf) : [];
  }

  /**
   * Takes the hidden states past a site whose weights are in memory. A router is asked at attention's end; its
   * experts run at the feed-forward site.
   */
  async pass(
    site: InputSite,
    block: VisitedBlock,
    changeOf: (name: string) => TensorChange | undefined,
  ): Promise<void> {
    const { feedForward } = block.plan;
    // Attention's end asks the router, whose weights belong to the next site.
    if (site === 'attentionOutput' && isRouter(feedForward)) {
      await this.pack(block, [feedForward.router], changeOf);
    }
    await this.stages.pass(site, block.placed);
    if (site !== 'feedForward' || !isRouter(feedForward)) return;
    const names = feedForward.experts.flatMap(({ projections, down }) =>
      [...projections, down].map(({ weight }) => weight),
    );
    const changes = names.flatMap((name): [string, TensorChange][] => {
      const change = changeOf(name);
      return change ? [[name, change]] : [];
    });
    const variant: Variant = { id: 'calibration', changes: new Map(changes) };
    await this.experts!.run({
      mixture: feedForward,
      runners: [{ variant, windows: this.windows }],
      onFlops: () => undefined,
    });
  }
}
