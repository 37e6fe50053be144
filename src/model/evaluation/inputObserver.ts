import type { Matrix } from '../../kernels/forwardKernels.js';
import type { TaskMachine } from '../../compute/taskMachine.js';
import type { LinearPlan } from '../config/plan.js';

/** What linear maps take in some windows: rows of f32, one per position. */
export interface ObservedInputs {
  /** The maps that take these inputs and of which the observer wants them: q, k and v share theirs. */
  readonly linears: readonly LinearPlan[];
  /** Index of the block; −1 before the first, the number of blocks behind the last. */
  readonly block: number;
  /** Whole windows, in order; `index` is that of the list being evaluated. */
  readonly windows: readonly { readonly index: number; readonly rows: number }[];
  /** Rows of all these windows. */
  readonly rows: number;
  /** Length of a row. */
  readonly inputs: number;
  /** What ran the model; another from the failure of one on. */
  readonly pool: TaskMachine;
  /**
   * Where the rows lie in the memory of {@link pool}, one right after the other, for tasks that reduce
   * them there: `pool.tasks<…>().run(…)` with this address.
   */
  readonly matrix: Matrix;
  /** The same [rows × inputs], to read here. */
  readonly values: Float32Array;
}

/**
 * Sees what linear maps take while windows pass through a model: what methods that are calibrated
 * measure (XᵀX, mean |x|, max |x|).
 *
 * Inputs come batch of windows by batch, in a batch block by block from the embedding to the head, in
 * a block site by site (`INPUT_SITES`), at a site group by group of whole windows. So sums of
 * all blocks grow with every batch; with one batch, a block's are complete before the next begins.
 * Groups are bounded, unless one window alone is longer: memory is that of a group.
 */
export interface InputObserver {
  /** Id of the variant whose inputs these are; absent: the unquantized model. */
  readonly variant?: string;
  /**
   * Whether the inputs of a linear map are wanted; asked once for each, but not for experts, which take
   * some rows only.
   * @param block as in {@link ObservedInputs}
   */
  wants(linear: LinearPlan, block: number): boolean;
  /**
   * Receives inputs, each once for all maps that share them. The walk goes on when it has resolved,
   * and the memory is used again: what must stay is to be copied. Where this rejects because the machine
   * failed, the same inputs come again from the machine that goes on.
   */
  observe(inputs: ObservedInputs): void | Promise<void>;
}
