import { countSourceBytes } from '../../checkpoint/types.js';
import { listLinears, tensorsOfBlock, type BlockPlan, type LinearPlan } from '../config/plan.js';
import type { PlacedBlock } from '../forward/tasks.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { layOutBlock, placeBlock, type Layout } from './placement.js';
import type { TensorChange, Variant } from './types.js';
import type { WeightStore } from './weightStore.js';

export interface BlockWeightsSetup {
  readonly block: BlockPlan;
  readonly hiddenSize: number;
  readonly weights: WeightStore;
  /** Where the weights go that are computed with. */
  readonly area: MemoryRegion;
  /** Where bytes as stored may be kept. */
  readonly stored?: MemoryRegion;
}

/** One block's weights in memory, as one variant after the other has them. */
export class BlockWeights {
  readonly placed: PlacedBlock;
  private readonly linears: readonly LinearPlan[];
  private readonly tensors: readonly string[];
  private readonly weights: WeightStore;
  private readonly stored?: MemoryRegion;
  private readonly layout: Layout;
  /** How what lies in memory is changed: linear weights by their plans, vectors by name. */
  private readonly present = new Map<LinearPlan | string, string>();

  constructor({ block, hiddenSize, weights, area, stored }: BlockWeightsSetup) {
    this.linears = listLinears(block);
    this.tensors = tensorsOfBlock(block);
    this.weights = weights;
    this.stored = stored;
    this.layout = layOutBlock(block, area.start, hiddenSize);
    this.placed = placeBlock(block, this.layout);
  }

  /** The same for variants that have the same weights in this block. */
  keyOf(variant: Variant | undefined): string {
    const { keys } = this.weights;
    return JSON.stringify(this.tensors.map((name) => keys.of(variant?.changes.get(name))));
  }

  /** Keeps the stored bytes of weights that several of these variants need differently. */
  async keepStored(variants: readonly (Variant | undefined)[]): Promise<void> {
    if (!this.stored || variants.length < 2) return;
    const places = new Map<string, number>();
    let at = this.stored.start;
    for (const { weight } of this.linears) {
      const changes = variants.map((variant) => variant?.changes.get(weight));
      const ofStored = changes.filter((change) => !change?.values && !change?.stored);
      if (new Set(ofStored.map((change) => this.weights.keys.of(change))).size < 2) continue;
      places.set(weight, at);
      at += Math.ceil(countSourceBytes(this.weights.tensor(weight)) / 64) * 64;
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
