import { isRouter, linearsAt, type InputSite } from '../forward/block.js';
import { rowsOf } from '../forward/rowTiles.js';
import { blockScratchBytes } from '../forward/scratch.js';
import type { TaskMachine } from '../../compute/taskMachine.js';
import type {
  ForwardApi,
  InputCopies,
  PlacedBlock,
  PlacedRotary,
  RowSegment,
  RowTile,
} from '../forward/tasks.js';
import type { BlockPlan, ModelPlan } from '../config/plan.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import { attendTasks } from './attendTasks.js';
import { InputBuffers } from './inputBuffers.js';
import type { SiteObservation } from './inputObservation.js';
import type { RoutedStates } from './routedStates.js';
import { countSharedFlops } from './work.js';

/** Rows whose queries, keys and values are in memory at once, unless one window is longer. */
const GROUP_BYTES = 24 << 20;
const MAX_GROUP_ROWS = 8192;
/** Small models take more rows in a tile, so that messages stay cheap beside work. */
const TILE_FLOPS = 2e8;
const MAX_TILE_ROWS = 1024;
/** A multiple of the rows that the matrix product takes at once. */
const ROW_STEP = 20;

/** One window of one model's hidden states. */
export interface StateWindow {
  /** Which window it is in the list being evaluated. */
  readonly index: number;
  /** Address of its first row. */
  readonly hidden: number;
  readonly rows: number;
  readonly rotary?: PlacedRotary;
  readonly localRotary?: PlacedRotary;
}

/** Windows that are worked on together. */
export interface WindowGroup {
  readonly windows: readonly StateWindow[];
  /** Of all of them. */
  readonly rows: number;
}

/** Cuts windows into groups of at most so many rows, at least one window each. */
export function* groupsOf(
  windows: readonly StateWindow[],
  maxRows: number,
): Generator<WindowGroup> {
  for (let first = 0; first < windows.length;) {
    let { rows } = windows[first];
    let end = first + 1;
    while (end < windows.length && rows + windows[end].rows <= maxRows) rows += windows[end++].rows;
    yield { windows: windows.slice(first, end), rows };
    first = end;
  }
}

export interface BlockRunnerSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  /** Positions of the longest window. */
  readonly longestWindow: number;
  /** Rows that are taken through a block in one run, at most. */
  readonly maxRows: number;
  /** Of models with experts. */
  readonly routed?: RoutedStates;
  readonly signal?: AbortSignal;
}

/** A block, and what is to be taken through it. */
export interface BlockRun {
  /** Its weights are in memory. */
  readonly block: PlacedBlock;
  readonly windows: readonly StateWindow[];
  /** Called with numbers of rows as they are done. */
  readonly onRows: (rows: number) => void;
  /** What is wanted of the inputs of its linear maps. */
  readonly observation?: SiteObservation<InputSite>;
}

/** Floats in a row of queries, keys and values, and in one of attention's results. */
function rowSizes(blocks: readonly BlockPlan[]): { projected: number; attended: number } {
  const sizes = blocks.map(({ attention }) => ({
    projected: attention.projections.reduce((sum, { outputs }) => sum + outputs, 0),
    attended: attention.output.inputs,
  }));
  return {
    projected: Math.max(...sizes.map(({ projected }) => projected)),
    attended: Math.max(...sizes.map(({ attended }) => attended)),
  };
}

/**
 * Takes hidden states through blocks: three phases over tiles of rows and heads of windows. A block with
 * a router ends with its choice.
 */
export class BlockRunner {
  private readonly pool: TaskMachine;
  private readonly plan: ModelPlan;
  private readonly signal?: AbortSignal;
  private readonly groupRows: number;
  private readonly projected: number;
  private readonly attended: number;
  private readonly sizes: { projected: number; attended: number };
  private readonly inputs: InputBuffers<InputSite>;
  private readonly routed?: RoutedStates;

  constructor({ pool, plan, longestWindow, maxRows, routed, signal }: BlockRunnerSetup) {
    this.pool = pool;
    this.plan = plan;
    this.signal = signal;
    this.sizes = rowSizes(plan.blocks);
    const rowBytes = (this.sizes.projected + this.sizes.attended) * 4;
    const wanted = Math.min(MAX_GROUP_ROWS, Math.floor(GROUP_BYTES / rowBytes), maxRows);
    this.groupRows = Math.max(longestWindow, wanted);
    this.projected = pool.reserve(this.groupRows * this.sizes.projected * 4).start;
    this.attended = pool.reserve(this.groupRows * this.sizes.attended * 4).start;
    this.inputs = new InputBuffers(pool);
    this.routed = routed;
  }

  /** Takes windows through a block. */
  async run(run: BlockRun): Promise<void> {
    for (const group of groupsOf(run.windows, this.groupRows)) await this.runGroup(group, run);
  }

  private async runGroup(
    { windows, rows }: WindowGroup,
    { block, onRows, observation }: BlockRun,
  ): Promise<void> {
    const { pool, signal } = this;
    const copies = observation && this.copiesOf(block, observation.sites);
    const observe = async (isDone: (site: InputSite) => boolean) => {
      for (const site of observation?.sites.filter(isDone) ?? []) {
        await observation!.observe(site, copies!.get(site)!.at, windows);
      }
    };
    const tiles = this.tiles(block, windows, this.tileRows(rows), copies);
    const tileTasks = tiles.map((tile) => ({
      block,
      tile,
      scratchBytes: blockScratchBytes(block, rowsOf(tile)),
    }));
    await pool.tasks<ForwardApi>().run('project', tileTasks, () => undefined, signal);
    await observe((site) => site === 'attention');
    await pool
      .tasks<ForwardApi>()
      .run('attend', this.attendTasks(block, windows), () => undefined, signal);
    await pool
      .tasks<ForwardApi>()
      .run('finish', tileTasks, (_, index) => onRows(rowsOf(tiles[index])), signal);
    await observe((site) => site !== 'attention');
  }

  /** Where inputs that are observed go, from the first row of a group on. */
  private copiesOf(
    block: PlacedBlock,
    sites: readonly InputSite[],
  ): ReadonlyMap<InputSite, Matrix> {
    return new Map(
      sites.map((site) => {
        const sizes = this.plan.blocks.flatMap((each) =>
          linearsAt(each, site).map((linear) => linear.inputs),
        );
        const most = Math.max(...sizes);
        const at = this.inputs.at(site, this.groupRows * most);
        return [site, { at, stride: linearsAt(block, site)[0].inputs }];
      }),
    );
  }

  /** Rows per tile: weights pass through the caches once per tile, and no thread waits long. */
  private tileRows(rows: number): number {
    const { threads, tileRows } = this.pool;
    const enough = Math.ceil(TILE_FLOPS / Math.max(...this.plan.blocks.map(countSharedFlops)));
    const most = Math.min(Math.max(enough, tileRows), Math.max(MAX_TILE_ROWS, tileRows));
    // As many tiles as make whole rounds for all threads.
    const rounds = Math.ceil(rows / most / threads);
    return Math.ceil(rows / (rounds * threads) / ROW_STEP) * ROW_STEP;
  }

  private tiles(
    { feedForward }: PlacedBlock,
    windows: readonly StateWindow[],
    tileRows: number,
    copies: ReadonlyMap<InputSite, Matrix> | undefined,
  ): RowTile[] {
    const { hiddenSize } = this.plan;
    const tiles: RowTile[] = [];
    let segments: RowSegment[] = [];
    let start: { hidden: number; row: number } | undefined;
    let filled = 0;
    let row = 0;
    const close = () => {
      if (start) {
        tiles.push({
          hidden: { at: start.hidden, stride: hiddenSize },
          projected: this.rowsAt(this.projected, this.sizes.projected, start.row),
          attended: this.rowsAt(this.attended, this.sizes.attended, start.row),
          segments,
          inputs: copies && inputsFrom(copies, start.row),
          routed: isRouter(feedForward)
            ? this.routed?.rowsAt(start.hidden, feedForward.expertsPerRow)
            : undefined,
        });
      }
      start = undefined;
      segments = [];
      filled = 0;
    };
    for (const window of windows) {
      for (let position = 0; position < window.rows;) {
        const hidden = window.hidden + position * hiddenSize * 4;
        const follows = start && hidden === start.hidden + filled * hiddenSize * 4;
        if (filled >= tileRows || !follows) close();
        start ??= { hidden, row };
        const rows = Math.min(tileRows - filled, window.rows - position);
        const { rotary, localRotary } = window;
        segments.push({ rows, position, rotary, localRotary });
        filled += rows;
        position += rows;
        row += rows;
      }
    }
    close();
    return tiles;
  }

  private attendTasks({ attention }: PlacedBlock, windows: readonly StateWindow[]) {
    return attendTasks({
      attention,
      windows,
      projected: this.rowsAt(this.projected, this.sizes.projected, 0),
      attended: this.rowsAt(this.attended, this.sizes.attended, 0),
      threads: this.pool.threads,
    });
  }

  private rowsAt(start: number, stride: number, row: number) {
    return { at: start + row * stride * 4, stride };
  }
}

/** Where the copies of a tile's inputs go. */
function inputsFrom(copies: ReadonlyMap<InputSite, Matrix>, row: number): InputCopies<InputSite> {
  const places = [...copies].map(([site, { at, stride }]) => [
    site,
    { at: at + row * stride * 4, stride },
  ]);
  return Object.fromEntries(places) as InputCopies<InputSite>;
}
