import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import { isRouter, type FeedForward } from '../forward/block.js';
import type { PlacedBlock, PlacedLinear, PlacedNorm } from '../forward/tasks.js';
import {
  linearsOf,
  listLinears,
  listNorms,
  type BlockPlan,
  type FeedForwardPlan,
  type LinearPlan,
  type NormPlaces,
  type NormPlan,
} from '../config/plan.js';

import { inputRounding, outputRounding } from './activations.js';
import type { ChannelScalePlaces } from './channelScales.js';
import type { Variant } from './types.js';

const ALIGNMENT = 64;

/** Gives addresses to weights, one after the other. */
export class Layout {
  readonly linears = new Map<LinearPlan, number>();
  /** Norm weights and biases by tensor name. */
  readonly vectors = new Map<string, number>();
  private top: number;
  private highest = 0;

  constructor(private readonly start: number) {
    this.top = start;
  }

  get bytes(): number {
    return Math.max(this.highest, this.top) - this.start;
  }

  /** Gives addresses from one on that were given before, to weights that are not needed together. */
  reuseFrom(address: number): void {
    this.highest = Math.max(this.highest, this.top);
    this.top = address;
  }

  /** The next address. */
  get end(): number {
    return this.top;
  }

  take(bytes: number): number {
    const at = Math.ceil(this.top / ALIGNMENT) * ALIGNMENT;
    this.top = at + bytes;
    return at;
  }

  addLinear(linear: LinearPlan): void {
    this.linears.set(linear, this.take(countPackedWeightBytes(linear.outputs, linear.inputs)));
    this.addVector(linear.bias, linear.outputs);
  }

  addNorm(norm: NormPlan, size: number): void {
    this.addVector(norm.weight, size);
    this.addVector(norm.bias, size);
    const { weightOfHeads } = norm;
    if (!weightOfHeads) return;
    // One after the other, they are the weight of all heads.
    const start = this.takeVector(size);
    for (const [head, name] of weightOfHeads.entries()) {
      this.vectors.set(name, start + (head * size * 4) / weightOfHeads.length);
    }
  }

  /** Some elements more than the tensor has, since kernels read whole panels of a bias. */
  takeVector(elements: number): number {
    return this.take((elements + 16) * 4);
  }

  addVector(tensor: string | undefined, elements: number): void {
    if (tensor !== undefined && !this.vectors.has(tensor)) {
      this.vectors.set(tensor, this.takeVector(elements));
    }
  }

  private vector(tensor: string | undefined): number {
    return tensor === undefined ? 0 : this.vectors.get(tensor)!;
  }

  placeLinear(linear: LinearPlan): PlacedLinear {
    const { outputs, inputs, bias } = linear;
    return { packed: this.linears.get(linear)!, bias: this.vector(bias), outputs, inputs };
  }

  placeNorm({ kind, weight, weightOfHeads, bias, epsilon, weightOffset }: NormPlan): PlacedNorm {
    return {
      kind,
      weight: this.vector(weight ?? weightOfHeads?.[0]),
      bias: this.vector(bias),
      epsilon,
      weightOffset,
    };
  }
}

/** Addresses from `start` on for the weights of a block that all rows need. */
export function layOutBlock(block: BlockPlan, start: number, hiddenSize: number): Layout {
  const layout = new Layout(start);
  for (const linear of listLinears(block)) layout.addLinear(linear);
  addNorms(layout, block, hiddenSize);
  return layout;
}

/**
 * The same, where the feed-forward part's weights take the places of those of attention. Norms, biases and
 * the router, which is asked where attention ends, have places of their own.
 * @param downAt address for the weights of the feed-forward part's last map, where these are to lie elsewhere
 */
export function layOutParts(
  block: BlockPlan,
  start: number,
  hiddenSize: number,
  downAt?: number,
): Layout {
  const { attention, feedForward } = block;
  const layout = new Layout(start);
  addNorms(layout, block, hiddenSize);
  for (const { bias, outputs } of listLinears(block)) layout.addVector(bias, outputs);
  if (isRouter(feedForward)) layout.addLinear(feedForward.router);
  const { end } = layout;
  for (const linear of [...attention.projections, attention.output]) layout.addLinear(linear);
  layout.reuseFrom(end);
  if (isRouter(feedForward)) return layout;
  for (const linear of linearsOf(feedForward)) {
    if (linear === feedForward.down && downAt !== undefined) layout.linears.set(linear, downAt);
    else layout.addLinear(linear);
  }
  return layout;
}

function addNorms(layout: Layout, block: BlockPlan, hiddenSize: number): void {
  const { queryNorm, keyNorm, headSize, headNorms, heads, keyValueHeads } = block.attention;
  const sizes = new Map([
    [queryNorm, headNorms ? heads * headSize : headSize],
    [keyNorm, headNorms ? keyValueHeads * headSize : headSize],
  ]);
  for (const norm of listNorms(block)) layout.addNorm(norm, sizes.get(norm) ?? hiddenSize);
}

/** Addresses for experts' weights from `start` on. */
export function layOutExperts(experts: readonly FeedForwardPlan[], start: number): Layout {
  const layout = new Layout(start);
  for (const linear of experts.flatMap(linearsOf)) layout.addLinear(linear);
  return layout;
}

/** A feed-forward part whose weights are addresses. @param scales see {@link inputRounding} */
export function placeFeedForward(
  feedForward: FeedForwardPlan,
  layout: Layout,
  variant: Variant | undefined,
  scales?: ChannelScalePlaces,
): FeedForward<PlacedLinear> {
  const linear = (plan: LinearPlan) => ({
    ...layout.placeLinear(plan),
    inputRounding: inputRounding(plan, variant, scales),
  });
  return {
    ...feedForward,
    projections: feedForward.projections.map(linear),
    down: linear(feedForward.down),
  };
}

/**
 * A block whose weights are addresses; experts have theirs from {@link placeFeedForward}.
 * @param scales see {@link inputRounding}
 */
export function placeBlock(
  block: BlockPlan,
  layout: Layout,
  variant: Variant | undefined,
  scales?: ChannelScalePlaces,
): PlacedBlock {
  const linear = (plan: LinearPlan) => ({
    ...layout.placeLinear(plan),
    inputRounding: inputRounding(plan, variant, scales),
  });
  const norm = (plan: NormPlan | undefined) => plan && layout.placeNorm(plan);
  const places = ({ before, after, ofSum }: NormPlaces) => ({
    before: norm(before),
    after: norm(after),
    ofSum: norm(ofSum),
  });
  const { attention, attentionNorms, feedForward, feedForwardNorms, parallel, branchScale } = block;
  return {
    attention: {
      ...attention,
      projections: attention.projections.map((plan) => ({
        ...linear(plan),
        outputRounding: outputRounding(plan, variant),
      })),
      queryNorm: norm(attention.queryNorm),
      keyNorm: norm(attention.keyNorm),
      output: linear(attention.output),
    },
    attentionNorms: places(attentionNorms),
    feedForward: isRouter(feedForward)
      ? {
          router: linear(feedForward.router),
          expertsPerRow: feedForward.expertsPerRow,
          normalized: feedForward.normalized,
        }
      : placeFeedForward(feedForward, layout, variant, scales),
    feedForwardNorms: places(feedForwardNorms),
    parallel,
    branchScale,
  };
}
