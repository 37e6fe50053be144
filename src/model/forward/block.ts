import type { Activation } from '../../kernels/forwardKernels.js';

/** Where heads lie in a row of projections, in floats. */
export interface HeadLayout {
  readonly at: number;
  /** From one head to the next. */
  readonly stride: number;
}

export interface Attention<Linear, Norm> {
  /** Queries, keys and values; their outputs stand side by side in one row. Fused: just one. */
  readonly projections: readonly Linear[];
  readonly queries: HeadLayout;
  readonly keys: HeadLayout;
  readonly values: HeadLayout;
  readonly heads: number;
  /** Query head h reads key/value head ⌊h·keyValueHeads/heads⌋. */
  readonly keyValueHeads: number;
  readonly headSize: number;
  /** Factor on q·k. */
  readonly scale: number;
  /** Positions that one sees, itself included; 0: all before it. */
  readonly window: number;
  /** 0: none. */
  readonly softCap: number;
  /** Which rotary encoding turns queries and keys; absent: that of the model. */
  readonly rotation?: 'local' | 'none';
  /** Norms before rotation. */
  readonly queryNorm?: Norm;
  readonly keyNorm?: Norm;
  /**
   * What they are over; absent: each head, with the same weights. `own`: each head, with weights of its
   * own; `joined`: all heads as one row.
   */
  readonly headNorms?: 'own' | 'joined';
  readonly output: Linear;
}

export interface FeedForward<Linear> {
  /** Their outputs stand side by side in one row. */
  readonly projections: readonly Linear[];
  /** Where in a row the gate stands that is activated; what it multiplies stands at `up`. */
  readonly gate: number;
  readonly up?: number;
  readonly width: number;
  readonly activation: Activation;
  readonly down: Linear;
}

/** What sends each row to a few of many experts. Their results, each times its weight, are added up. */
export interface Router<Linear> {
  /** A logit for each expert. */
  readonly router: Linear;
  /** Experts that a row goes to: those with the largest logits. */
  readonly expertsPerRow: number;
  /**
   * Weights are softmax over all logits; true: divided by the sum of those of the row's experts, so that
   * they add up to 1.
   */
  readonly normalized: boolean;
}

export function isRouter<Linear>(
  feedForward: FeedForward<Linear> | Router<Linear>,
): feedForward is Router<Linear> {
  return 'router' in feedForward;
}

/** The feed-forward part of a block without a router. @throws where there is a router */
export function withoutRouter<Linear>({
  feedForward,
}: Pick<Block<Linear, unknown>, 'feedForward'>): FeedForward<Linear> {
  if (isRouter(feedForward)) throw new Error('Experts take their inputs after a router has chosen');
  return feedForward;
}

/** One sub-layer's place among norms: norm, the sub-layer, norm of its result, sum, norm of the sum. */
export interface NormPlaces<Norm> {
  readonly before?: Norm;
  readonly after?: Norm;
  readonly ofSum?: Norm;
}

/**
 * A block of a decoder as data; its weights are tensor names in a plan, addresses in a worker.
 *
 * Where its feed-forward part is a router, only the norm before that part is possible: what experts
 * come to is added to the hidden states expert by expert.
 */
export interface Block<Linear, Norm, Routed extends Router<Linear> = Router<Linear>> {
  readonly attention: Attention<Linear, Norm>;
  readonly attentionNorms: NormPlaces<Norm>;
  readonly feedForward: FeedForward<Linear> | Routed;
  readonly feedForwardNorms: NormPlaces<Norm>;
  /** The feed-forward part reads what the attention part reads; both are added to it. */
  readonly parallel: boolean;
  /** Factor on what each part adds; absent: 1. */
  readonly branchScale?: number;
}

/**
 * Where a block's linear maps take their inputs, in the order of the computation: queries, keys and
 * values share theirs, as gate and up do.
 */
export const INPUT_SITES = ['attention', 'attentionOutput', 'feedForward', 'down'] as const;
export type InputSite = (typeof INPUT_SITES)[number];

/** The linear maps that take their inputs at a site; those of experts, which see some rows only, have none. */
export function linearsAt<Linear>(
  { attention, feedForward }: Block<Linear, unknown>,
  site: InputSite,
): readonly Linear[] {
  switch (site) {
    case 'attention':
      return attention.projections;
    case 'attentionOutput':
      return [attention.output];
    case 'feedForward':
      return isRouter(feedForward) ? [feedForward.router] : feedForward.projections;
    case 'down':
      return isRouter(feedForward) ? [] : [feedForward.down];
  }
}
