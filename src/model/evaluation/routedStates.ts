import type { TaskMachine } from '../../compute/taskMachine.js';
import { isRouter } from '../forward/block.js';
import { countRouteBytes } from '../forward/routing.js';
import type { RoutedRows } from '../forward/tasks.js';
import type { ModelPlan } from '../config/plan.js';

/** Experts that a row goes to, at most; 0 for models without experts. */
function mostExpertsPerRow({ blocks }: ModelPlan): number {
  return blocks.reduce(
    (most, { feedForward }) =>
      isRouter(feedForward) ? Math.max(most, feedForward.expertsPerRow) : most,
    0,
  );
}

/** Bytes that a row of hidden states in flight takes, and what goes to experts with it. */
export function countStateBytes(plan: ModelPlan): number {
  const stateBytes = plan.hiddenSize * 4;
  const expertsPerRow = mostExpertsPerRow(plan);
  return expertsPerRow === 0 ? stateBytes : 2 * stateBytes + countRouteBytes(expertsPerRow);
}

export interface RoutedStatesSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  /** Address of all hidden states. */
  readonly states: number;
  /** Rows of all hidden states. */
  readonly rows: number;
}

/**
 * What experts take and where it goes, for every row of hidden states. It stays from the router to the
 * last expert, while experts come into memory one after the other.
 */
export class RoutedStates {
  private readonly states: number;
  private readonly rowBytes: number;
  private readonly hiddenSize: number;
  private readonly inputs: number;
  private readonly routes: number;

  constructor({ pool, plan, states, rows }: RoutedStatesSetup) {
    this.states = states;
    this.hiddenSize = plan.hiddenSize;
    this.rowBytes = plan.hiddenSize * 4;
    this.inputs = pool.reserve(rows * this.rowBytes).start;
    this.routes = pool.reserve(rows * countRouteBytes(mostExpertsPerRow(plan))).start;
  }

  /** What belongs to rows of hidden states from an address on. */
  rowsAt(hidden: number, expertsPerRow: number): RoutedRows {
    const row = (hidden - this.states) / this.rowBytes;
    return {
      inputs: { at: this.inputs + row * this.rowBytes, stride: this.hiddenSize },
      routes: this.routes + row * countRouteBytes(expertsPerRow),
    };
  }
}

/** Whether some block of a model has experts. */
export function hasExperts(plan: ModelPlan): boolean {
  return mostExpertsPerRow(plan) > 0;
}
