import { scoreScratchBytes } from '../forward/scratch.js';
import type { FinalInputsTask, FinalSite, ForwardApi, InputCopies } from '../forward/tasks.js';
import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { ModelPlan } from '../config/plan.js';
import { groupsOf, type StateWindow } from './blockRunner.js';
import { InputBuffers } from './inputBuffers.js';
import type { SiteObservation } from './inputObservation.js';

/** Rows in memory at once, unless one window is longer. */
const GROUP_ROWS = 2048;
const TILE_ROWS = 128;

export interface FinalInputsSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly signal?: AbortSignal;
}

/** Hands out what the linear maps behind the blocks take. */
export class FinalInputs {
  private readonly buffers: InputBuffers<FinalSite>;

  constructor(private readonly setup: FinalInputsSetup) {
    this.buffers = new InputBuffers(setup.pool);
  }

  /**
   * @param windows last hidden states
   * @param end what follows them in the model whose they are
   */
  async observe(
    windows: readonly StateWindow[],
    end: FinalInputsTask['end'],
    { sites, observe }: SiteObservation<FinalSite>,
  ): Promise<void> {
    const { pool, plan, signal } = this.setup;
    const { hiddenSize, head } = plan;
    const columns = { outputProjection: hiddenSize, head: head.inputs };
    for (const group of groupsOf(windows, GROUP_ROWS)) {
      const at = (site: FinalSite) => this.buffers.at(site, group.rows * columns[site]);
      const tasks: TaskOf<ForwardApi, 'finalInputs'>[] = [];
      let row = 0;
      for (const { hidden, rows } of group.windows) {
        for (let first = 0; first < rows; first += TILE_ROWS) {
          const count = Math.min(TILE_ROWS, rows - first);
          const copies = sites.map((site) => [
            site,
            { at: at(site) + (row + first) * columns[site] * 4, stride: columns[site] },
          ]);
          tasks.push({
            end,
            rows: count,
            hiddenSize,
            headInputs: head.inputs,
            hidden: { at: hidden + first * hiddenSize * 4, stride: hiddenSize },
            inputs: Object.fromEntries(copies) as InputCopies<FinalSite>,
            scratchBytes: scoreScratchBytes({
              rows: count,
              hiddenSize,
              headInputs: head.inputs,
              models: 1,
            }),
          });
        }
        row += rows;
      }
      await pool.tasks<ForwardApi>().run('finalInputs', tasks, () => undefined, signal);
      for (const site of sites) await observe(site, at(site), group.windows);
    }
  }
}
