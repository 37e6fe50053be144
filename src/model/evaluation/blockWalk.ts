import { isRouter } from '../forward/block.js';
import { tensorsForAll, type BlockPlan, type ModelPlan } from '../config/plan.js';
import type { BlockRunner } from './blockRunner.js';
import { BlockWeights } from './blockWeights.js';
import type { ChannelScalePlaces } from './channelScales.js';
import type { EvaluationMemory } from './evaluationMemory.js';
import type { EvaluationProgress } from './evaluationProgress.js';
import type { ExpertRunner } from './expertRunner.js';
import type { HiddenStates } from './hiddenStates.js';
import type { InputObservation } from './inputObservation.js';
import type { StateKeeper } from './keptStates.js';
import { layOutBlock, placeBlock } from './placement.js';
import { BASELINE, type EvaluationSettings } from './types.js';
import { isObservedIn, type ForkedRunner, type Runner, type Walk } from './walk.js';
import type { WeightStore } from './weightStore.js';
import { countSharedFlops } from './work.js';

export interface BlockWalkSetup {
  readonly plan: ModelPlan;
  readonly weights: WeightStore;
  readonly memory: EvaluationMemory;
  readonly states: HiddenStates;
  readonly blocks: BlockRunner;
  /** Of models with experts. */
  readonly experts?: ExpertRunner;
  readonly observation?: InputObservation;
  /** Where another machine may have to go on. */
  readonly keeper?: StateKeeper;
  readonly onHidden?: EvaluationSettings['onHidden'];
  /** Where scales of single inputs lie. */
  readonly scales: ChannelScalePlaces;
  readonly progress: EvaluationProgress;
}

/** Takes the models of a walk through the blocks, those with equal weights together. */
export class BlockWalk {
  constructor(private readonly setup: BlockWalkSetup) {}

  /**
   * @param live variants that have states of their own already
   * @param first block
   */
  async run(walk: Walk, live: ForkedRunner[], first: number): Promise<void> {
    const { batch, pass, isFirst, base, final, members } = walk;
    const { plan, states, keeper, onHidden } = this.setup;
    const { length } = plan.blocks;
    // How far the unquantized model must go: to the end once, later only to where others fork.
    const forks = members.map(({ fork }) => fork).filter((fork) => fork < length);
    const baseEnd = isFirst ? length : Math.max(pass.keepAt ?? 0, ...forks);
    for (let block = first; block < length; block++) {
      if (block === pass.keepAt) states.copy(base.hidden, states.kept, batch);
      for (const member of members.filter(({ fork }) => fork === block)) {
        states.copy(base.hidden, member.hidden, batch);
        live.push(member);
      }
      const runners = block < baseEnd ? [base, ...live] : live;
      if (runners.length > 0) await this.runBlock(block, runners, walk);
      keeper?.keep(
        block + 1,
        new Map([base, ...live].map(({ variant, hidden }) => [variant?.id ?? BASELINE, hidden])),
      );
      if (isFirst && onHidden) await states.report(block, base.hidden, batch, onHidden);
    }
    if (final !== base.hidden && isFirst) states.copy(base.hidden, final, batch);
  }

  private async runBlock(index: number, runners: readonly Runner[], walk: Walk): Promise<void> {
    const { plan, memory, states, progress } = this.setup;
    const { batch } = walk;
    const block = plan.blocks[index];
    const layout = layOutBlock(block, memory.weights.start, plan.hiddenSize);
    const weights = new BlockWeights({
      layout,
      tensors: tensorsForAll(block),
      weights: this.setup.weights,
      stored: memory.stored,
    });
    const groups = weights.groupEqual(runners);
    await weights.keepStored(groups.map(([{ variant }]) => variant));
    const flops = countSharedFlops(block);
    const place = `block ${index + 1} of ${plan.blocks.length}`;
    const onFlops = (done: number) => progress.advance(done, batch, place);
    const observation = this.setup.observation?.ofBlock(index);
    for (const group of groups) {
      const [{ variant }] = group;
      await weights.load(variant);
      const placed = placeBlock(block, layout, variant, this.setup.scales);
      const run = (some: readonly Runner[], wanted?: typeof observation) =>
        this.setup.blocks.run({
          block: placed,
          windows: some.flatMap(({ hidden }) => states.windows(hidden, batch)),
          onRows: (rows) => onFlops(rows * flops),
          observation: wanted,
        });
      // Who is observed goes alone, so that nothing else is copied.
      const observed =
        observation && group.find((runner) => isObservedIn(walk, runner, this.setup.observation));
      if (observed) await run([observed], observation);
      await run(group.filter((runner) => runner !== observed));
    }
    weights.release();
    await this.runExperts(block, runners, walk, onFlops);
  }

  /** Takes runners through the experts of a block, if it has any; its router has chosen. */
  private async runExperts(
    { feedForward: mixture }: BlockPlan,
    runners: readonly Runner[],
    { batch }: Walk,
    onFlops: (done: number) => void,
  ): Promise<void> {
    if (!isRouter(mixture)) return;
    await this.setup.experts!.run({
      mixture,
      runners: runners.map(({ variant, hidden }) => ({
        variant,
        windows: this.setup.states.windows(hidden, batch),
      })),
      onFlops,
    });
  }
}
