import type { TaskMachine } from '../../compute/taskMachine.js';
import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import type { LinearPlan, ModelPlan, NormPlan } from '../config/plan.js';
import type { PlacedEnd, PlacedLinear, PlacedNorm } from '../forward/tasks.js';
import { Layout } from './placement.js';
import type { TensorChange, Variant } from './types.js';
import type { VectorPlacement, WeightPlacement, WeightStore } from './weightStore.js';

export interface FixedTensorsSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  readonly variants: readonly Variant[];
  readonly weights: WeightStore;
}

/**
 * Tensors outside the blocks that stay in memory from the first batch to the last: norms, biases and
 * projections, in every way in which variants have them. The head's weight is too large for that.
 */
export class FixedTensors {
  private readonly plan: ModelPlan;
  private readonly variants: readonly Variant[];
  private readonly weights: WeightStore;
  private readonly vectors = new Map<string, VectorPlacement>();
  private readonly linears = new Map<string, WeightPlacement>();

  constructor({ pool, plan, variants, weights }: FixedTensorsSetup) {
    this.plan = plan;
    this.variants = variants;
    this.weights = weights;
    const { bytes } = this.layOut(0);
    this.layOut(pool.reserve(bytes + 64).start);
  }

  private layOut(start: number): Layout {
    const layout = new Layout(start);
    const { finalNorm, head, embedding, outputProjection, hiddenSize, vocabularySize } = this.plan;
    this.layOutVector(layout, finalNorm?.weight, hiddenSize);
    this.layOutVector(layout, finalNorm?.bias, hiddenSize);
    this.layOutVector(layout, head.bias, vocabularySize);
    for (const linear of [embedding.projection, outputProjection]) {
      if (!linear) continue;
      for (const [key, change] of this.changesOf(linear.weight)) {
        const at = layout.take(countPackedWeightBytes(linear.outputs, linear.inputs));
        this.linears.set(key, { linear, at, change });
      }
      this.layOutVector(layout, linear.bias, linear.outputs);
    }
    return layout;
  }

  private layOutVector(layout: Layout, name: string | undefined, elements: number): void {
    if (name === undefined) return;
    for (const [key, change] of this.changesOf(name)) {
      this.vectors.set(key, { name, at: layout.takeVector(elements), change });
    }
  }

  /** The ways in which a tensor is wanted, as it is stored among them. */
  private changesOf(name: string): ReadonlyMap<string, TensorChange | undefined> {
    const changes = [undefined, ...this.variants.map((variant) => variant.changes.get(name))];
    return new Map(changes.map((change) => [this.key(name, change), change]));
  }

  private key(name: string, change: TensorChange | undefined): string {
    return `${this.weights.keys.of(change)}\n${name}`;
  }

  /** Brings all of them into memory. */
  async load(): Promise<void> {
    await this.weights.loadVectors([...this.vectors.values()]);
    if (this.linears.size > 0) await this.weights.pack([...this.linears.values()]);
  }

  /** A projection outside the blocks, as a variant has it. */
  projection(linear: LinearPlan, variant: Variant | undefined): PlacedLinear {
    const { weight, bias, outputs, inputs } = linear;
    const { at } = this.linears.get(this.key(weight, variant?.changes.get(weight)))!;
    return { packed: at, bias: this.vector(bias, variant), outputs, inputs };
  }

  /** What follows the last block, as a variant has it. */
  end(variant: Variant | undefined): PlacedEnd {
    const { finalNorm, outputProjection, logitScale = 1, logitSoftCap } = this.plan;
    return {
      norm: finalNorm && this.norm(finalNorm, variant),
      projection: outputProjection && this.projection(outputProjection, variant),
      logitScale,
      logitSoftCap,
    };
  }

  /** Address of the head's bias, as a variant has it; 0: none. */
  headBias(variant: Variant | undefined): number {
    return this.vector(this.plan.head.bias, variant);
  }

  private norm(plan: NormPlan, variant: Variant | undefined): PlacedNorm {
    const { kind, epsilon, weightOffset } = plan;
    const weight = this.vector(plan.weight, variant);
    return { kind, weight, bias: this.vector(plan.bias, variant), epsilon, weightOffset };
  }

  private vector(name: string | undefined, variant: Variant | undefined): number {
    if (name === undefined) return 0;
    return this.vectors.get(this.key(name, variant?.changes.get(name)))!.at;
  }
}
