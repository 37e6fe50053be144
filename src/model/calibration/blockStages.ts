import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { BlockPlan, ModelPlan } from '../config/plan.js';
import { attendTasks } from '../evaluation/attendTasks.js';
import { groupsOf, type StateWindow, type WindowGroup } from '../evaluation/blockRunner.js';
import type { RoutedStates } from '../evaluation/routedStates.js';
import { isRouter, linearsAt, type InputSite } from '../forward/block.js';
import { columns, rowsFrom } from '../forward/layers.js';
import { blockScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, PlacedBlock, RowSegment, RowTile, StageApi } from '../forward/tasks.js';
import { TILE_ROWS, tilesOf } from './tiles.js';

/** Rows whose projections are in memory at once, unless one window is longer. */
const GROUP_BYTES = 24 << 20;
/** Of what one task needs for norms and copies. */
const SMALL_SCRATCH = 1 << 16;

export interface BlockStagesSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  /** All hidden states, one window after the other. */
  readonly windows: readonly StateWindow[];
  /** Address of room for what attention comes to, of all rows: see {@link countAttendedBytes}. */
  readonly attended: number;
  /** Of models with experts. */
  readonly routed?: RoutedStates;
  readonly signal?: AbortSignal;
}

/** Bytes of what attention comes to in so many rows. */
export function countAttendedBytes({ blocks }: ModelPlan, rows: number): number {
  return rows * Math.max(...blocks.map(({ attention }) => attention.output.inputs)) * 4;
}

/** Rows of one group of windows, and which of all rows is the first. */
interface PlacedGroup extends WindowGroup {
  readonly first: number;
}

type Steps = ForwardApi & StageApi;

/** What linear maps take in some windows. */
export interface SiteRows {
  readonly matrix: Matrix;
  readonly rows: number;
}

/** @param first which of all rows is the first of these */
export type UseRows = (rows: SiteRows, first: number) => Promise<void | 'enough'>;

/**
 * Takes hidden states through a block one site after the other, so that weights can be chosen by the
 * inputs that they see and changed before these pass. What attention came to is kept for all rows;
 * what a feed-forward part's last map takes is computed again when it is needed, being larger.
 */
export class BlockStages {
  private readonly setup: BlockStagesSetup;
  private readonly groups: readonly PlacedGroup[];
  /** Of all windows. */
  readonly rows: number;
  private readonly hidden: Matrix;
  private readonly projected: Matrix;
  private readonly attended: Matrix;
  private kept?: number;
  /** Inputs of a group at any site. */
  private readonly inputs: number;
  /** Of models whose feed-forward parts read what attention reads: hidden states before attention. */
  private readonly before?: Matrix;

  constructor(setup: BlockStagesSetup) {
    this.setup = setup;
    const { pool, plan, windows } = setup;
    const { blocks, hiddenSize } = plan;
    const most = (size: (block: BlockPlan) => number) => Math.max(...blocks.map(size));
    const projected = most(({ attention }) =>
      attention.projections.reduce((sum, { outputs }) => sum + outputs, 0),
    );
    const widest = most((block) =>
      Math.max(hiddenSize, ...linearsAt(block, 'down').map((linear) => linear.inputs)),
    );
    const longest = Math.max(...windows.map(({ rows }) => rows));
    const groupRows = Math.max(longest, Math.floor(GROUP_BYTES / 4 / Math.max(projected, widest)));
    let first = 0;
    this.groups = [...groupsOf(windows, groupRows)].map((group) => {
      const placed = { ...group, first };
      first += group.rows;
      return placed;
    });
    this.rows = first;
    const most4 = Math.max(...this.groups.map(({ rows }) => rows)) * 4;
    this.hidden = { at: windows[0].hidden, stride: hiddenSize };
    this.projected = { at: pool.reserve(most4 * projected).start, stride: projected };
    this.inputs = pool.reserve(most4 * widest).start;
    this.attended = {
      at: setup.attended,
      stride: most(({ attention }) => attention.output.inputs),
    };
    if (blocks.some(({ parallel }) => parallel)) {
      this.before = { at: pool.reserve(this.rows * hiddenSize * 4).start, stride: hiddenSize };
    }
  }

  /**
   * What linear maps take at a site, a group of windows after the other. Sites before it have been
   * passed.
   * @param use may read the rows until it resolves; says where it wants no more
   */
  async observe(site: InputSite, block: PlacedBlock, use: UseRows): Promise<void> {
    const [linear] = linearsAt(block, site);
    for (const group of this.groups) {
      let matrix = this.attendedOf(group);
      if (site !== 'attentionOutput') {
        matrix = { at: this.inputs, stride: linear.inputs };
        await this.writeInputs(site, block, group, matrix);
      }
      if ((await use({ matrix, rows: group.rows }, group.first)) === 'enough') return;
    }
  }

  /** Takes all rows past a site. */
  async pass(site: InputSite, block: PlacedBlock): Promise<void> {
    switch (site) {
      case 'attention':
        for (const group of this.groups) await this.attend(block, group, this.attendedOf(group));
        return;
      case 'attentionOutput':
        if (block.parallel && this.before) {
          this.setup.pool.copy(this.hidden.at, this.before.at, this.rows * this.hidden.stride * 4);
        }
        return this.endAttention(block);
      case 'feedForward':
        // Its results are computed where the last map needs them.
        return;
      case 'down':
        if (isRouter(block.feedForward)) return;
        for (const group of this.groups) {
          const source: Matrix = { at: this.inputs, stride: block.feedForward.down.inputs };
          await this.writeInputs('down', block, group, source);
          await this.addFeedForward(block, source, group.rows, rowsFrom(this.hidden, group.first));
        }
    }
  }

  /**
   * The output of attention or of a feed-forward part, before it is added to the hidden states, a group
   * after the other; hidden states stay as they are.
   * @param target [rows of a group × hidden size]
   */
  async outputs(
    part: 'attention' | 'feedForward',
    block: PlacedBlock,
    target: Matrix,
    use: UseRows,
  ): Promise<void> {
    for (const group of this.groups) {
      let source: Matrix;
      let linear = block.attention.output;
      if (part === 'attention') {
        source = this.attendedOf(group);
        await this.attend(block, group, source);
      } else {
        [linear] = linearsAt(block, 'down');
        source = { at: this.inputs, stride: linear.inputs };
        await this.writeInputs('down', block, group, source);
      }
      const tasks = tilesOf(group.rows).map(({ first, rows }) => ({
        linear,
        source: rowsFrom(source, first),
        rows,
        target: rowsFrom(target, first),
        scratchBytes: blockScratchBytes(block, rows),
      }));
      await this.run('applyLinear', tasks);
      if ((await use({ matrix: target, rows: group.rows }, group.first)) === 'enough') return;
    }
  }

  /** Keeps the hidden states as they are now, for {@link restore}. */
  keep(): void {
    const bytes = this.rows * this.hidden.stride * 4;
    this.kept ??= this.setup.pool.reserve(bytes).start;
    this.setup.pool.copy(this.hidden.at, this.kept, bytes);
  }

  /** Goes back to what was kept. */
  restore(): void {
    this.setup.pool.copy(this.kept!, this.hidden.at, this.rows * this.hidden.stride * 4);
  }

  /** Rows of the largest group. */
  get groupRows(): number {
    return Math.max(...this.groups.map(({ rows }) => rows));
  }

  private async writeInputs(
    site: Exclude<InputSite, 'attentionOutput'>,
    block: PlacedBlock,
    { first, rows: count }: PlacedGroup,
    target: Matrix,
  ): Promise<void> {
    const { attentionNorms, feedForwardNorms, parallel } = block;
    const states = site !== 'attention' && parallel ? this.before! : this.hidden;
    const source = rowsFrom(states, first);
    const tiles = tilesOf(count);
    if (site === 'down') {
      const tasks = tiles.map((tile) => ({
        block,
        source: rowsFrom(source, tile.first),
        rows: tile.rows,
        target: rowsFrom(target, tile.first),
        scratchBytes: blockScratchBytes(block, tile.rows),
      }));
      await this.run('activate', tasks);
      return;
    }
    const norm = site === 'attention' ? attentionNorms.before : feedForwardNorms.before;
    const tasks = tiles.map((tile) => ({
      norm,
      source: rowsFrom(source, tile.first),
      rows: tile.rows,
      columns: this.hidden.stride,
      target: rowsFrom(target, tile.first),
      scratchBytes: SMALL_SCRATCH,
    }));
    await this.run('siteInputs', tasks);
  }

  /** Queries, keys and values of a group, and what attention makes of them. */
  private async attend(block: PlacedBlock, group: PlacedGroup, attended: Matrix): Promise<void> {
    const tiles = this.rowTiles(group, attended).map((tile) => ({
      block,
      tile,
      scratchBytes: blockScratchBytes(block, TILE_ROWS),
    }));
    await this.run('project', tiles);
    const tasks = attendTasks({
      attention: block.attention,
      windows: group.windows,
      projected: this.projected,
      attended,
      threads: this.setup.pool.threads,
    });
    await this.run('attend', tasks);
  }

  private async endAttention(block: PlacedBlock): Promise<void> {
    const { feedForward } = block;
    for (const group of this.groups) {
      const tasks = this.rowTiles(group, this.attendedOf(group)).map((tile) => ({
        block,
        tile: isRouter(feedForward)
          ? {
              ...tile,
              routed: this.setup.routed?.rowsAt(tile.hidden.at, feedForward.expertsPerRow),
            }
          : tile,
        scratchBytes: blockScratchBytes(block, TILE_ROWS),
      }));
      // With experts the router chooses at once.
      if (isRouter(feedForward)) await this.run('finish', tasks);
      else await this.run('addAttention', tasks);
    }
  }

  private async addFeedForward(
    block: PlacedBlock,
    source: Matrix,
    count: number,
    hidden: Matrix,
  ): Promise<void> {
    const tasks = tilesOf(count).map(({ first, rows }) => ({
      block,
      source: rowsFrom(source, first),
      rows,
      hidden: rowsFrom(hidden, first),
      scratchBytes: blockScratchBytes(block, rows),
    }));
    await this.run('addFeedForward', tasks);
  }

  private attendedOf({ first }: PlacedGroup): Matrix {
    return rowsFrom(this.attended, first);
  }

  /** Tiles of a group, with the positions of their rows. */
  private rowTiles({ windows, first, rows: count }: PlacedGroup, attended: Matrix): RowTile[] {
    const starts: number[] = [];
    let next = 0;
    for (const { rows } of windows) {
      starts.push(next);
      next += rows;
    }
    return tilesOf(count).map((tile): RowTile => {
      const segments: RowSegment[] = [];
      for (const [index, { rows, rotary, localRotary }] of windows.entries()) {
        const from = Math.max(tile.first, starts[index]);
        const to = Math.min(tile.first + tile.rows, starts[index] + rows);
        if (from >= to) continue;
        segments.push({ rows: to - from, position: from - starts[index], rotary, localRotary });
      }
      return {
        hidden: rowsFrom(this.hidden, first + tile.first),
        projected: columns(rowsFrom(this.projected, tile.first), 0),
        attended: rowsFrom(attended, tile.first),
        segments,
      };
    });
  }

  private run<Name extends keyof Steps & string>(
    method: Name,
    tasks: readonly TaskOf<Steps, Name>[],
  ): Promise<void> {
    const { pool, signal } = this.setup;
    return pool.tasks<Steps>().run(method, tasks, () => undefined, signal);
  }
}
