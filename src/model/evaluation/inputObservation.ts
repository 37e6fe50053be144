import { INPUT_SITES, linearsAt, type InputSite } from '../forward/block.js';
import type { FinalSite } from '../forward/tasks.js';
import type { LinearPlan, ModelPlan } from '../config/plan.js';
import type { TaskMachine } from '../../compute/taskMachine.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { InputObserver } from './inputObserver.js';
import { FORK } from './passes.js';
import type { Variant } from './types.js';

/** A window of a batch, as an observer hears of it. */
export interface ObservedWindow {
  readonly index: number;
  readonly rows: number;
}

/** What is wanted of the inputs at some sites, and who takes them. */
export interface SiteObservation<Site extends string> {
  /** In the order in which inputs come. */
  readonly sites: readonly Site[];
  /** @param at address of the windows' rows, one right after the other */
  observe(site: Site, at: number, windows: readonly ObservedWindow[]): Promise<void>;
}

/** Which inputs an observer has seen, so that it sees none twice where an evaluation goes on elsewhere. */
export class SeenInputs {
  private readonly keys = new Set<string>();

  has(block: number, site: string, window: number): boolean {
    return this.keys.has(`${block} ${site} ${window}`);
  }

  add(block: number, site: string, windows: readonly ObservedWindow[]): void {
    for (const { index } of windows) this.keys.add(`${block} ${site} ${index}`);
  }
}

/** Windows of a list that follow one another and are wanted, and how many rows come before them. */
function* runsOf(
  windows: readonly ObservedWindow[],
  isWanted: (window: ObservedWindow) => boolean,
): Generator<{ readonly firstRow: number; readonly run: readonly ObservedWindow[] }> {
  let row = 0;
  let run: ObservedWindow[] = [];
  let firstRow = 0;
  for (const window of windows) {
    if (isWanted(window)) {
      if (run.length === 0) firstRow = row;
      run.push(window);
    } else if (run.length > 0) {
      yield { firstRow, run };
      run = [];
    }
    row += window.rows;
  }
  if (run.length > 0) yield { firstRow, run };
}

/** An observer's questions to a model's plan: asked once, where the walk needs the answers. */
export class InputObservation {
  private readonly byBlock = new Map<number, SiteObservation<InputSite> | undefined>();
  /** Of the linear map before the blocks. */
  readonly embedding?: SiteObservation<'projection'>;
  /** Of those behind the blocks. */
  readonly final?: SiteObservation<FinalSite>;

  constructor(
    private readonly pool: TaskMachine,
    private readonly observer: InputObserver,
    plan: ModelPlan,
    private readonly seen: SeenInputs,
  ) {
    const { embedding, outputProjection, head, blocks } = plan;
    const one = (linear: LinearPlan | undefined) => (linear ? [linear] : []);
    const places = { projection: one(embedding.projection) };
    this.embedding = this.observation(FORK.embedding, ['projection'], (site) => places[site]);
    blocks.forEach((block, index) => {
      const linears = (site: InputSite) => linearsAt(block, site);
      this.byBlock.set(index, this.observation(index, INPUT_SITES, linears));
    });
    const last = { outputProjection: one(outputProjection), head: [head] };
    const sites = ['outputProjection', 'head'] as const;
    this.final = this.observation(blocks.length, sites, (site) => last[site]);
  }

  /** Whether it is this model that is observed; the unquantized one where there is no variant. */
  isOf(variant: Variant | undefined): boolean {
    return this.observer.variant === variant?.id;
  }

  /** What is wanted of a block, if anything. */
  ofBlock(index: number): SiteObservation<InputSite> | undefined {
    return this.byBlock.get(index);
  }

  private observation<Site extends string>(
    block: number,
    sites: readonly Site[],
    linearsOf: (site: Site) => readonly LinearPlan[],
  ): SiteObservation<Site> | undefined {
    const wanted = new Map(
      sites.map((site) => [
        site,
        linearsOf(site).filter((linear) => this.observer.wants(linear, block)),
      ]),
    );
    const some = sites.filter((site) => wanted.get(site)!.length > 0);
    if (some.length === 0) return undefined;
    return {
      sites: some,
      observe: async (site, at, windows) => {
        const linears = wanted.get(site)!;
        const [{ inputs }] = linears;
        const isNew = ({ index }: ObservedWindow) => !this.seen.has(block, site, index);
        for (const { firstRow, run } of runsOf(windows, isNew)) {
          const rows = run.reduce((sum, window) => sum + window.rows, 0);
          const matrix: Matrix = { at: at + firstRow * inputs * 4, stride: inputs };
          await this.observer.observe({
            linears,
            block,
            windows: run.map(({ index, rows: count }) => ({ index, rows: count })),
            rows,
            inputs,
            pool: this.pool,
            matrix,
            values: await this.pool.readFloats(matrix.at, rows * inputs),
          });
          this.seen.add(block, site, run);
        }
      },
    };
  }
}
