import type { LinearPlan } from '../config/plan.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { activationKey } from './activations.js';
import type { Layout } from './placement.js';
import type { TensorChange, Variant } from './types.js';
import type { WeightStore } from './weightStore.js';

export interface BlockWeightsSetup {
  /** Where the weights go that are computed with. */
  readonly layout: Layout;
  /** Names of the tensors that they are read from. */
  readonly tensors: readonly string[];
  readonly weights: WeightStore;
  /** Where bytes as stored may be kept. */
  readonly stored?: MemoryRegion;
}

/** Weights of a block in memory, all or those of some experts, as one variant after the other has them. */
export class BlockWeights {
  private readonly tensors: readonly string[];
  private readonly weights: WeightStore;
  private readonly stored?: MemoryRegion;
  private readonly layout: Layout;
  /** How what lies in memory is changed: linear weights by their plans, vectors by name. */
  private readonly present = new Map<LinearPlan | string, string>();

  constructor({ layout, tensors, weights, stored }: BlockWeightsSetup) {
    this.tensors = tensors;
    this.weights = weights;
    this.stored = stored;
    this.layout = layout;
  }

  /** The same for variants for which these weights, and what is done to their inputs, are the same. */
  private keyOf(variant: Variant | undefined): string {
    const { keys } = this.weights;
    const ofTensor = (name: string) => [
      keys.of(variant?.changes.get(name)),
      activationKey(variant?.activations?.get(name)),
    ];
    return JSON.stringify(this.tensors.map(ofTensor));
  }

  /** Runners in groups that compute the same with these weights, in the order of their first ones. */
  groupEqual<Runner extends { readonly variant?: Variant }>(
    runners: readonly Runner[],
  ): readonly (readonly [Runner, ...Runner[]])[] {
    const groups = new Map<string, [Runner, ...Runner[]]>();
    for (const runner of runners) {
      const key = this.keyOf(runner.variant);
      const group = groups.get(key);
      if (group) group.push(runner);
      else groups.set(key, [runner]);
    }
    return [...groups.values()];
  }

  /** Keeps the stored bytes of weights that several of these variants need differently. */
  async keepStored(variants: readonly (Variant | undefined)[]): Promise<void> {
    if (!this.stored || variants.length < 2) return;
    const places = new Map<LinearPlan, number>();
    let at = this.stored.start;
    for (const linear of this.layout.linears.keys()) {
      const changes = variants.map((variant) => variant?.changes.get(linear.weight));
      const ofStored = changes.filter((change) => !change?.values && !change?.stored);
      if (new Set(ofStored.map((change) => this.weights.keys.of(change))).size < 2) continue;
      places.set(linear, at);
      at += this.weights.countKeptBytes(linear);
    }
    await this.weights.cacheBytes(places);
  }

  /** Brings into memory what a variant has otherwise than the one before it. */
  async load(variant: Variant | undefined): Promise<void> {
    const isMissing = (tensor: LinearPlan | string, change: TensorChange | undefined) => {
      const key = this.weights.keys.of(change);
      if (this.present.get(tensor) === key) return false;
      this.present.set(tensor, key);
      return true;
    };
    const changeOf = (name: string) => variant?.changes.get(name);
    const vectors = [...this.layout.vectors]
      .map(([name, at]) => ({ name, at, change: changeOf(name) }))
      .filter(({ name, change }) => isMissing(name, change));
    await this.weights.loadVectors(vectors);
    const linears = [...this.layout.linears]
      .map(([linear, at]) => ({ linear, at, change: changeOf(linear.weight) }))
      .filter(({ linear, change }) => isMissing(linear, change));
    await this.weights.pack(linears);
  }

  /** Lets go of stored bytes. */
  release(): void {
    this.weights.forgetBytes();
  }
}
