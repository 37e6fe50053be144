import type { InputObservation } from './inputObservation.js';
import type { Batch, Pass } from './passes.js';
import type { Variant } from './types.js';

/** The unquantized model, or a variant of it, on its way through the blocks. */
export interface Runner {
  readonly variant?: Variant;
  /** Address of its hidden states. */
  readonly hidden: number;
}

/** A runner that shares the unquantized model's states up to a block. */
export interface ForkedRunner extends Runner {
  readonly fork: number;
}

/** A batch on its way through a pass. */
export interface Walk {
  readonly batch: Batch;
  readonly pass: Pass;
  /** The pass that takes the unquantized model to the end. */
  readonly isFirst: boolean;
  readonly base: Runner;
  /** Address of the unquantized model's last hidden states. */
  readonly final: number;
  readonly members: readonly ForkedRunner[];
}

/** Whether a runner is observed in a walk: the unquantized model takes part in several passes, but is observed once. */
export function isObservedIn(
  { isFirst }: Walk,
  { variant }: Runner,
  observation: InputObservation | undefined,
): boolean {
  return (observation?.isOf(variant) ?? false) && (isFirst || variant !== undefined);
}
