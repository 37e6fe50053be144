import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { FeedForwardPlan, MixturePlan, ModelPlan } from '../config/plan.js';
import { tensorsOfExperts } from '../config/plan.js';
import { routesAt } from '../forward/routing.js';
import { expertScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, PlacedExpert } from '../forward/tasks.js';
import type { StateWindow } from './blockRunner.js';
import { BlockWeights } from './blockWeights.js';
import { countExpertBytes, type ExpertRegions } from './expertRegions.js';
import { layOutExperts, placeFeedForward } from './placement.js';
import type { RoutedStates } from './routedStates.js';
import type { Variant } from './types.js';
import type { WeightStore } from './weightStore.js';
import { countExpertFlops } from './work.js';

/** Rows of hidden states that a worker adds to in one task, at most. */
const TILE_ROWS = 1024;

export interface ExpertRunnerSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly weights: WeightStore;
  readonly routed: RoutedStates;
  readonly regions: ExpertRegions;
  readonly signal?: AbortSignal;
}

/** Hidden states of a model that its router has been asked about. */
export interface RoutedRunner {
  /** Absent: the unquantized model. */
  readonly variant?: Variant;
  readonly windows: readonly StateWindow[];
}

/** A mixture, and what is to be taken through it. */
export interface MixtureRun {
  readonly mixture: MixturePlan;
  readonly runners: readonly RoutedRunner[];
  /** Called with numbers of multiplications and additions as they are done. */
  readonly onFlops: (flops: number) => void;
}

/** An expert that some rows go to. */
interface UsedExpert {
  readonly expert: number;
  readonly feedForward: FeedForwardPlan;
}

/** A runner, and how many of its rows go to each expert. */
interface CountedRunner extends RoutedRunner {
  readonly counts: Uint32Array;
}

/**
 * Takes hidden states through the experts of a block: a few experts at a time, for all models before the
 * next. What no row goes to is not read.
 */
export class ExpertRunner {
  constructor(private readonly setup: ExpertRunnerSetup) {}

  /** Adds to all hidden states what their experts come to. */
  async run({ mixture, runners, onFlops }: MixtureRun): Promise<void> {
    const { experts, expertsPerRow } = mixture;
    const counted: CountedRunner[] = [];
    for (const runner of runners) {
      counted.push({ ...runner, counts: await this.count(mixture, runner) });
    }
    const used = experts
      .map((feedForward, expert) => ({ expert, feedForward }))
      .filter(({ expert }) => counted.some(({ counts }) => counts[expert] > 0));
    for (const some of this.inTurns(used))
      await this.runSome(some, expertsPerRow, counted, onFlops);
  }

  /** How many rows of a runner go to each expert. */
  private async count(
    { experts, expertsPerRow }: MixturePlan,
    { windows }: RoutedRunner,
  ): Promise<Uint32Array> {
    const counts = new Uint32Array(experts.length);
    for (const { hidden, rows } of windows) {
      const { routes: at } = this.setup.routed.rowsAt(hidden, expertsPerRow);
      const words = await this.setup.pool.readFloats(at, 2 * rows * expertsPerRow);
      const routes = routesAt(words.buffer, words.byteOffset, rows, expertsPerRow);
      for (let row = 0; row < rows; row++) {
        const from = row * routes.stride;
        for (let i = from; i < from + expertsPerRow; i++) counts[routes.experts[i]]++;
      }
    }
    return counts;
  }

  /** As many experts at a time as have room, in their order. */
  private *inTurns(used: readonly UsedExpert[]): Generator<readonly UsedExpert[]> {
    const { weights, regions } = this.setup;
    let turn: UsedExpert[] = [];
    let [packed, stored] = [0, 0];
    for (const each of used) {
      const bytes = countExpertBytes(each.feedForward, weights);
      packed += bytes.packed;
      stored += bytes.stored;
      const isFull =
        packed > regions.packed.bytes ||
        (regions.stored !== undefined && stored > regions.stored.bytes);
      if (isFull && turn.length > 0) {
        yield turn;
        turn = [];
        [packed, stored] = [bytes.packed, bytes.stored];
      }
      turn.push(each);
    }
    if (turn.length > 0) yield turn;
  }

  private async runSome(
    some: readonly UsedExpert[],
    expertsPerRow: number,
    runners: readonly CountedRunner[],
    onFlops: MixtureRun['onFlops'],
  ): Promise<void> {
    const { regions, weights } = this.setup;
    const plans = some.map(({ feedForward }) => feedForward);
    const layout = layOutExperts(plans, regions.packed.start);
    const tensors = tensorsOfExperts(plans);
    const { stored } = regions;
    const inMemory = new BlockWeights({ layout, tensors, weights, stored });
    const rowsOf = ({ counts }: CountedRunner) =>
      some.reduce((sum, { expert }) => sum + counts[expert], 0);
    const groups = inMemory.groupEqual(runners.filter((runner) => rowsOf(runner) > 0));
    await inMemory.keepStored(groups.map(([{ variant }]) => variant));
    for (const group of groups) {
      const [{ variant }] = group;
      await inMemory.load(variant);
      const placed = some.map(({ expert, feedForward }) => ({
        expert,
        feedForward: placeFeedForward(feedForward, layout, variant),
      }));
      await this.apply(placed, expertsPerRow, group);
      const rows = group.reduce((sum, runner) => sum + rowsOf(runner), 0);
      onFlops(rows * countExpertFlops(plans[0]));
    }
    inMemory.release();
  }

  /** Each task has rows of its own, to which it adds all of these experts in their order. */
  private async apply(
    experts: readonly PlacedExpert[],
    expertsPerRow: number,
    runners: readonly RoutedRunner[],
  ): Promise<void> {
    const { pool, plan, routed, signal } = this.setup;
    const windows = runners.flatMap((runner) => runner.windows);
    const all = windows.reduce((sum, { rows }) => sum + rows, 0);
    const tileRows = Math.min(TILE_ROWS, Math.ceil(all / pool.threads));
    const tasks: TaskOf<ForwardApi, 'applyExperts'>[] = [];
    for (const { hidden: at, rows } of joinWindows(windows, plan.hiddenSize)) {
      for (let first = 0; first < rows; first += tileRows) {
        const hidden = at + first * plan.hiddenSize * 4;
        const count = Math.min(tileRows, rows - first);
        tasks.push({
          experts,
          expertsPerRow,
          rows: count,
          hidden: { at: hidden, stride: plan.hiddenSize },
          routed: routed.rowsAt(hidden, expertsPerRow),
          scratchBytes: expertScratchBytes(experts[0].feedForward, count),
        });
      }
    }
    await pool.tasks<ForwardApi>().run('applyExperts', tasks, () => undefined, signal);
  }
}

/** Windows whose rows follow one another, as one. */
function joinWindows(
  windows: readonly StateWindow[],
  hiddenSize: number,
): readonly { readonly hidden: number; readonly rows: number }[] {
  const joined: { hidden: number; rows: number }[] = [];
  for (const { hidden, rows } of windows) {
    const last = joined.at(-1);
    if (last && last.hidden + last.rows * hiddenSize * 4 === hidden) last.rows += rows;
    else joined.push({ hidden, rows });
  }
  return joined;
}
