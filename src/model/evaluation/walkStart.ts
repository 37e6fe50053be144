import type { TaskMachine } from '../../compute/taskMachine.js';
import type { ModelPlan } from '../config/plan.js';
import type { Embedder } from './embedder.js';
import type { EvaluationProgress } from './evaluationProgress.js';
import type { HiddenStates } from './hiddenStates.js';
import type { InputObservation } from './inputObservation.js';
import type { KeptStates } from './keptStates.js';
import { FORK } from './passes.js';
import { BASELINE } from './types.js';
import { isObservedIn, type ForkedRunner, type Runner, type Walk } from './walk.js';
import { countFlopsFrom } from './work.js';

export interface WalkStartSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly windows: readonly Int32Array[];
  readonly states: HiddenStates;
  readonly embedder: Embedder;
  readonly observation?: InputObservation;
  readonly progress: EvaluationProgress;
}

/** Brings in the hidden states with which a walk begins. */
export class WalkStart {
  constructor(private readonly setup: WalkStartSetup) {}

  /** Those before the first block. @returns the variants that have their own already */
  async embed(walk: Walk): Promise<ForkedRunner[]> {
    const { batch, isFirst, base, members } = walk;
    const { windows, states, embedder, observation } = this.setup;
    const embed = (runner: Runner) =>
      embedder.embed({
        windows: batch.windows.map((index) => ({ index, ids: windows[index] })),
        hidden: runner.hidden,
        variant: runner.variant,
        observation: isObservedIn(walk, runner, observation) ? observation?.embedding : undefined,
      });
    if (isFirst) await embed(base);
    else states.copy(states.kept, base.hidden, batch);
    const live = members.filter(({ fork }) => fork === FORK.embedding);
    for (const member of live) await embed(member);
    return live;
  }

  /** Those with which another machine stopped. @returns the variants that have their own already */
  resume({ batch, base, members }: Walk, { block, states }: KeptStates): ForkedRunner[] {
    const { plan, pool, progress } = this.setup;
    const live = members.filter(({ fork }) => fork < block);
    let flops = 0;
    for (const { variant, hidden, fork } of [{ ...base, fork: 0 }, ...live]) {
      pool.write(hidden, states.get(variant?.id ?? BASELINE)!);
      flops += countFlopsFrom(fork, plan) - countFlopsFrom(block, plan);
    }
    progress.advance(batch.rows * flops, batch, `block ${block} of ${plan.blocks.length}`);
    return live;
  }
}
