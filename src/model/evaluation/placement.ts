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

const ALIGNMENT = 64;

/** Gives addresses to weights, one after the other. */
export class Layout {
  readonly linears = new Map<LinearPlan, number>();
  /** Norm weights and biases by tensor name. */
  readonly vectors = new Map<string, number>();
  private top: number;

  constructor(private readonly start: number) {
    this.top = start;
  }

  get bytes(): number {
    return this.top - this.start;
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
  const { queryNorm, keyNorm, headSize, headNorms, heads, keyValueHeads } = block.attention;
  const sizes = new Map([
    [queryNorm, headNorms ? heads * headSize : headSize],
    [keyNorm, headNorms ? keyValueHeads * headSize : headSize],
  ]);
  for (const norm of listNorms(block)) layout.addNorm(norm, sizes.get(norm) ?? hiddenSize);
  return layout;
}

/** Addresses for experts' weights from `start` on. */
export function layOutExperts(experts: readonly FeedForwardPlan[], start: number): Layout {
  const layout = new Layout(start);
  for (const linear of experts.flatMap(linearsOf)) layout.addLinear(linear);
  return layout;
}

/** A feed-forward part whose weights are addresses. */
export function placeFeedForward(
  feedForward: FeedForwardPlan,
  layout: Layout,
): FeedForward<PlacedLinear> {
  return {
    ...feedForward,
    projections: feedForward.projections.map((linear) => layout.placeLinear(linear)),
    down: layout.placeLinear(feedForward.down),
  };
}

/** A block whose weights are addresses; experts have theirs from {@link placeFeedForward}. */
export function placeBlock(block: BlockPlan, layout: Layout): PlacedBlock {
  const linear = (plan: LinearPlan) => layout.placeLinear(plan);
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
      projections: attention.projections.map(linear),
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
      : placeFeedForward(feedForward, layout),
    feedForwardNorms: places(feedForwardNorms),
    parallel,
    branchScale,
  };
}
