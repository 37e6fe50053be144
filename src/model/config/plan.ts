import {
  isRouter,
  type Attention,
  type Block,
  type FeedForward,
  type NormPlaces as Places,
  type Router,
} from '../forward/block.js';

/** A linear map y = W·x + b. */
export interface LinearPlan {
  /** Tensor [outputs × inputs], or [inputs × outputs] where `transposed`. */
  readonly weight: string;
  readonly bias?: string;
  readonly outputs: number;
  readonly inputs: number;
  readonly transposed: boolean;
  /**
   * Row of the tensor, seen as a matrix, at which the map's rows begin: of experts that are stored as one
   * tensor [experts × outputs × inputs]. Absent: the tensor is the map's alone.
   */
  readonly firstRow?: number;
}

export interface NormPlan {
  readonly kind: 'rms' | 'layer';
  /** Absent: a plain normalization. */
  readonly weight?: string;
  /** In place of one weight: those of the heads, each a tensor of its own. */
  readonly weightOfHeads?: readonly string[];
  readonly bias?: string;
  readonly epsilon: number;
  /** Added to the weight (Gemma stores w of 1 + w). */
  readonly weightOffset: number;
}

export type AttentionPlan = Attention<LinearPlan, NormPlan>;
export type FeedForwardPlan = FeedForward<LinearPlan>;
export type NormPlaces = Places<NormPlan>;
/** A router, and the experts it chooses from. */
export interface MixturePlan extends Router<LinearPlan> {
  readonly experts: readonly FeedForwardPlan[];
}
export type BlockPlan = Block<LinearPlan, NormPlan, MixturePlan>;

/** Rotary position encoding: element i of a head's first `dims` turns with element i + dims/2. */
export interface RotaryPlan {
  /** Elements 2i and 2i + 1 turn together instead. */
  readonly interleaved: boolean;
  readonly dims: number;
  /** Radians per position, f32 [dims/2], for windows up to `longAfter` positions. */
  readonly frequencies: Float32Array;
  /** For longer windows. */
  readonly longFrequencies?: Float32Array;
  readonly longAfter?: number;
  /** Factor on cosine and sine. */
  readonly factor: number;
}

/**
 * A language model as data: which tensors do what, in what order. One interpreter runs every plan
 * (`forward/forwardPass.ts`). Causal, decoder-only models.
 */
export interface ModelPlan {
  readonly modelType: string;
  readonly hiddenSize: number;
  readonly vocabularySize: number;
  /** `max_position_embeddings` of the configuration. */
  readonly maxPositions: number;
  /** True where longer windows are impossible (learned positions) and not only untrained. */
  readonly positionsAreHard: boolean;
  readonly embedding: {
    readonly tokens: string;
    /** Length of an embedding; differs from the hidden size only with a projection. */
    readonly size: number;
    readonly scale: number;
    /** Before positions are added. */
    readonly projection?: LinearPlan;
    /** Learned positions: row = position + offset. */
    readonly positions?: { readonly tensor: string; readonly offset: number };
  };
  readonly rotary?: RotaryPlan;
  /** That of blocks whose attention asks for it. */
  readonly localRotary?: RotaryPlan;
  readonly blocks: readonly BlockPlan[];
  readonly finalNorm?: NormPlan;
  /** Between the last norm and the head. */
  readonly outputProjection?: LinearPlan;
  readonly head: LinearPlan;
  /** The embedding's name where it is tied to the head and stored all the same. */
  readonly tiedTwin?: string;
  /** Factor on logits, before the cap, of heads without a bias and a projection before them; absent: 1. */
  readonly logitScale?: number;
  /** Cap on logits; 0: none. */
  readonly logitSoftCap: number;
  /** What a reader of results must know: assumptions, tied weights that differ. */
  readonly notes: readonly string[];
}

/** The linear maps of a block that all rows pass through, in the order in which they are used. */
export function listLinears({ attention, feedForward }: BlockPlan): LinearPlan[] {
  const rest = isRouter(feedForward) ? [feedForward.router] : linearsOf(feedForward);
  return [...attention.projections, attention.output, ...rest];
}

/** The linear maps of a feed-forward part, in the order in which they are used. */
export function linearsOf({ projections, down }: FeedForwardPlan): LinearPlan[] {
  return [...projections, down];
}

/** The experts of a block; none where it has no router. */
export function expertsOf({ feedForward }: BlockPlan): readonly FeedForwardPlan[] {
  return isRouter(feedForward) ? feedForward.experts : [];
}

/** The norms of a block. */
export function listNorms(block: BlockPlan): NormPlan[] {
  const { attention, attentionNorms, feedForwardNorms } = block;
  return [
    attentionNorms.before,
    attentionNorms.after,
    attentionNorms.ofSum,
    attention.queryNorm,
    attention.keyNorm,
    feedForwardNorms.before,
    feedForwardNorms.after,
    feedForwardNorms.ofSum,
  ].filter((norm) => norm !== undefined);
}

/** Names of the vectors that linear maps and norms have: biases and norm weights. */
function vectorsOf(linears: readonly LinearPlan[], norms: readonly NormPlan[]): readonly string[] {
  const names = [
    ...linears.map(({ bias }) => bias),
    ...norms.flatMap(({ weight, weightOfHeads = [], bias }) => [weight, ...weightOfHeads, bias]),
  ];
  return names.filter((name) => name !== undefined);
}

/** Names of the tensors that linear maps and norms read, each once. */
function tensorsOf(linears: readonly LinearPlan[], norms: readonly NormPlan[]): readonly string[] {
  return [...new Set([...linears.map(({ weight }) => weight), ...vectorsOf(linears, norms)])];
}

/** Names of the tensors of a block that all rows need. */
export function tensorsForAll(block: BlockPlan): readonly string[] {
  return tensorsOf(listLinears(block), listNorms(block));
}

/** Names of the tensors that some experts of a block read. */
export function tensorsOfExperts(experts: readonly FeedForwardPlan[]): readonly string[] {
  return tensorsOf(experts.flatMap(linearsOf), []);
}

/** Names of the tensors that a block reads. */
export function tensorsOfBlock(block: BlockPlan): readonly string[] {
  return [...tensorsForAll(block), ...tensorsOfExperts(expertsOf(block))];
}

/** Names of the tensors that are read before the first block. */
export function tensorsBefore({ embedding }: ModelPlan): readonly string[] {
  const { tokens, projection, positions } = embedding;
  const names = [tokens, projection?.weight, projection?.bias, positions?.tensor];
  return names.filter((name) => name !== undefined);
}

/** Names of the tensors that are read after the last block. */
export function tensorsAfter({ finalNorm, outputProjection, head }: ModelPlan): readonly string[] {
  const linears = outputProjection ? [outputProjection, head] : [head];
  const vectors = vectorsOf(linears, finalNorm ? [finalNorm] : []);
  return [...linears.map(({ weight }) => weight), ...vectors];
}
