import type { ModelPlan } from '../config/plan.js';
import type { EvaluationProgress } from './evaluationProgress.js';
import type { FinalInputs } from './finalInputs.js';
import type { FixedTensors } from './fixedTensors.js';
import type { HiddenStates } from './hiddenStates.js';
import type { InputObservation } from './inputObservation.js';
import type { FinalState, Scorer } from './scorer.js';
import { BASELINE, type EvaluationSettings, type ScoreStore } from './types.js';
import { isObservedIn, type Runner, type Walk } from './walk.js';
import { countHeadFlops } from './work.js';

export interface WalkEndSetup {
  readonly plan: ModelPlan;
  readonly windows: readonly Int32Array[];
  readonly states: HiddenStates;
  readonly fixed: FixedTensors;
  readonly finalInputs: FinalInputs;
  readonly scorer: Scorer;
  readonly observation?: InputObservation;
  readonly onLogits?: EvaluationSettings['onLogits'];
  readonly progress: EvaluationProgress;
}

/** What follows the blocks: the inputs of the last linear maps, logits and scores. */
export class WalkEnd {
  constructor(private readonly setup: WalkEndSetup) {}

  /** Hands out what the linear maps behind the blocks take, where that is wanted. */
  async observe(walk: Walk): Promise<void> {
    const { states, fixed, finalInputs, observation } = this.setup;
    const wanted = observation?.final;
    if (!wanted) return;
    for (const runner of this.runnersOf(walk)) {
      if (!isObservedIn(walk, runner, observation)) continue;
      const windows = states.windows(runner.hidden, walk.batch);
      await finalInputs.observe(windows, fixed.end(runner.variant), wanted);
    }
  }

  /** Scores of every model of the walk, in each window. */
  async score(walk: Walk): Promise<Parameters<ScoreStore['put']>[0]> {
    const { batch, members } = walk;
    const { plan, scorer, onLogits, progress } = this.setup;
    const states = this.runnersOf(walk).map((runner) => this.finalState(runner));
    const windows = batch.windows.map((index) => this.setup.windows[index]);
    if (onLogits) {
      const deliver = (index: number, logits: Float32Array) =>
        onLogits(batch.windows[index], logits);
      await scorer.logits(states[states.length - 1], windows, deliver);
    }
    const flops = countHeadFlops(plan);
    const scores = await scorer.score(states, windows, (rows) =>
      progress.advance(rows * flops, batch, 'output'),
    );
    const names = [BASELINE, ...members.map(({ variant }) => variant!.id)];
    return names.flatMap((variant, state) =>
      batch.windows.map((window, index) => ({ variant, window, score: scores[state][index] })),
    );
  }

  /** The models with their last hidden states. */
  private runnersOf({ final, members }: Walk): readonly Runner[] {
    const { length } = this.setup.plan.blocks;
    return [
      { hidden: final },
      ...members.map(({ variant, fork, hidden }) => ({
        variant,
        hidden: fork < length ? hidden : final,
      })),
    ];
  }

  private finalState({ variant, hidden }: Runner): FinalState {
    const { fixed, plan } = this.setup;
    return {
      hidden,
      headChange: variant?.changes.get(plan.head.weight),
      headBias: fixed.headBias(variant),
      end: fixed.end(variant),
    };
  }
}
