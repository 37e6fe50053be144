import type { TaskMachine } from '../../compute/taskMachine.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import {
  expertsOf,
  linearsOf,
  type FeedForwardPlan,
  type MixturePlan,
  type ModelPlan,
} from '../config/plan.js';
import type { ExpertRegions } from '../evaluation/expertRegions.js';
import { layOutExperts, placeFeedForward } from '../evaluation/placement.js';
import type { RoutedStates } from '../evaluation/routedStates.js';
import type { TensorChange } from '../evaluation/types.js';
import type { WeightStore } from '../evaluation/weightStore.js';
import { rowsFrom } from '../forward/layers.js';
import { routesAt } from '../forward/routing.js';
import { EXPERT_ROWS, expertScratchBytes } from '../forward/scratch.js';
import type { StageApi } from '../forward/tasks.js';
import type { UseRows } from './blockStages.js';
import type { ObservedSite } from './observedSite.js';

/** Inputs of an expert that are in memory at once. */
const GROUP_BYTES = 24 << 20;

/** Where an expert's linear maps take their inputs. */
export const EXPERT_SITES = ['feedForward', 'down'] as const;
export type ExpertSiteName = (typeof EXPERT_SITES)[number];

/** What one expert's linear maps take. */
export interface ExpertSite extends ObservedSite {
  readonly site: ExpertSiteName;
  /** Its number. */
  readonly expert: number;
}

export interface ExpertSitesSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly weights: WeightStore;
  readonly routed: RoutedStates;
  /** Where an expert's weights are computed with, while none runs. */
  readonly regions: ExpertRegions;
  /** Address of all hidden states, which follow one another. */
  readonly hidden: number;
  /** Rows of these. */
  readonly rows: number;
  readonly signal?: AbortSignal;
}

/** The rows that are routed to one expert. */
interface RoutedExpert {
  readonly expert: number;
  readonly plan: FeedForwardPlan;
  readonly rows: Int32Array;
}

/**
 * What each expert of a mixture takes of the calibration windows, between its router and its run. One expert's
 * weights and a bounded number of its rows are in memory at once.
 */
export class ExpertSites {
  private readonly groupRows: number;
  /** Inputs of a group. */
  private readonly inputs: number;

  constructor(private readonly setup: ExpertSitesSetup) {
    const { pool, plan, rows } = setup;
    const widths = plan.blocks.flatMap((block) =>
      expertsOf(block).flatMap((expert) => linearsOf(expert).map(({ inputs }) => inputs)),
    );
    const widest = Math.max(...widths);
    // Whole runs of rows that are summed together: sums do not depend on where groups end.
    const runs = Math.max(1, Math.floor(GROUP_BYTES / 4 / widest / EXPERT_ROWS));
    this.groupRows = Math.min(rows, runs * EXPERT_ROWS);
    this.inputs = pool.reserve(this.groupRows * widest * 4).start;
  }

  /**
   * A site of each expert, in their order.
   * @param changeOf how the weights before the site are changed, asked when its inputs are observed
   */
  async of(
    mixture: MixturePlan,
    site: ExpertSiteName,
    changeOf: (name: string) => TensorChange | undefined,
  ): Promise<readonly ExpertSite[]> {
    const experts = await this.route(mixture);
    return experts.map((routed) => ({
      name: `expert-${routed.expert}-${site}`,
      expert: routed.expert,
      site,
      linears: site === 'down' ? [routed.plan.down] : routed.plan.projections,
      rows: routed.rows.length,
      observe: (use) => this.observe(mixture, routed, site, changeOf, use),
    }));
  }

  /** Which rows go to each expert. */
  private async route({ experts, expertsPerRow }: MixturePlan): Promise<readonly RoutedExpert[]> {
    const { pool, routed, hidden, rows } = this.setup;
    const { routes: at } = routed.rowsAt(hidden, expertsPerRow);
    const words = await pool.readFloats(at, 2 * rows * expertsPerRow);
    const routes = routesAt(words.buffer, words.byteOffset, rows, expertsPerRow);
    const taken: number[][] = experts.map(() => []);
    for (let row = 0; row < rows; row++) {
      const from = row * routes.stride;
      for (let i = from; i < from + expertsPerRow; i++) taken[routes.experts[i]].push(row);
    }
    return experts.map((plan, expert) => ({ expert, plan, rows: Int32Array.from(taken[expert]) }));
  }

  private async observe(
    { expertsPerRow }: MixturePlan,
    { plan, rows }: RoutedExpert,
    site: ExpertSiteName,
    changeOf: (name: string) => TensorChange | undefined,
    use: UseRows,
  ): Promise<void> {
    const { pool, weights, routed, regions, hidden, signal } = this.setup;
    const isDown = site === 'down';
    const layout = layOutExperts([plan], regions.packed.start);
    if (isDown && rows.length > 0) {
      const before = plan.projections;
      const vectors = before.flatMap(({ bias }) =>
        bias === undefined
          ? []
          : [{ name: bias, at: layout.vectors.get(bias)!, change: changeOf(bias) }],
      );
      await weights.loadVectors(vectors);
      await weights.pack(
        before.map((linear) => ({
          linear,
          at: layout.linears.get(linear)!,
          change: changeOf(linear.weight),
        })),
      );
    }
    const feedForward = placeFeedForward(plan, layout, undefined);
    const { inputs: source } = routed.rowsAt(hidden, expertsPerRow);
    const stride = isDown ? plan.down.inputs : plan.projections[0].inputs;
    const matrix: Matrix = { at: this.inputs, stride };
    for (let first = 0; first < rows.length; first += this.groupRows) {
      const count = Math.min(this.groupRows, rows.length - first);
      const tasks = [];
      for (let done = 0; done < count; done += EXPERT_ROWS) {
        const some = rows.subarray(first + done, first + Math.min(count, done + EXPERT_ROWS));
        tasks.push({
          feedForward,
          site,
          rows: [...some],
          source,
          target: rowsFrom(matrix, done),
          scratchBytes: expertScratchBytes(feedForward, some.length),
        });
      }
      await pool.tasks<StageApi>().run('expertInputs', tasks, () => undefined, signal);
      if ((await use({ matrix, rows: count }, first)) === 'enough') return;
    }
  }
}
