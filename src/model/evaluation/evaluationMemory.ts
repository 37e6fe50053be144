import type { WorkerPool } from '../../compute/workerPool.js';
import type { NumberFormat } from '../../formats/types.js';
import { packedWeightBytes } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import type { PlacedEnd, PlacedLinear, PlacedRotary } from '../forward/tasks.js';
import { Layout, layOutBlock } from './placement.js';
import { linearsOf, type LinearPlan, type ModelPlan } from '../config/plan.js';
import { isLongWindow, rotaryTables } from '../config/rotary.js';
import type { Variant } from './types.js';
import type { WeightPlacement, WeightStore } from './weightStore.js';

/** Room for pieces of the head where blocks are small. */
const MIN_WEIGHT_BYTES = 32 << 20;
/** Above this, stored bytes are read again instead of kept: addresses end at 4 GiB. */
const MAX_CACHED_BYTES = 2 ** 30;

/** What stays in memory from the first batch to the last, and the area that blocks take turns in. */
export class EvaluationMemory {
  /** The weights of the block at work, or a piece of the head. */
  readonly weights: MemoryRegion;
  /** A block's bytes as stored, where variants need them several times. */
  readonly stored?: MemoryRegion;
  private readonly layout: Layout;
  private readonly projections = new Map<string, LinearPlan>();
  private readonly tables = new Map<boolean, PlacedRotary>();

  constructor(
    private readonly pool: WorkerPool,
    private readonly plan: ModelPlan,
    private readonly variants: readonly Variant[],
    private readonly longestWindow: number,
    weights: WeightStore,
  ) {
    const { blocks, hiddenSize, head } = plan;
    const blockBytes = blocks.map((block) => layOutBlock(block, 0, hiddenSize).bytes);
    const headBytes = packedWeightBytes(head.outputs, head.inputs) * this.headFormats();
    const forHead = Math.min(headBytes, MIN_WEIGHT_BYTES * this.headFormats());
    this.weights = pool.reserve(Math.max(...blockBytes, forHead));
    const storedBytes = blocks.map((block) =>
      linearsOf(block).reduce((sum, { weight }) => sum + weights.tensor(weight).bytes + 64, 0),
    );
    const largest = Math.max(...storedBytes);
    if (variants.length > 0 && largest <= MAX_CACHED_BYTES) this.stored = pool.reserve(largest);
    this.layout = this.layOutFixed();
  }

  /** Ways in which the head is wanted: as stored, and each format that variants ask of it. */
  private headFormats(): number {
    const { weight } = this.plan.head;
    return new Set([undefined, ...this.variants.map(({ formats }) => formats.get(weight)?.id)])
      .size;
  }

  /** Norms, biases, tables and projections outside the blocks. */
  private layOutFixed(): Layout {
    const lay = (start: number) => {
      const { plan } = this;
      const layout = new Layout(start);
      if (plan.finalNorm) layout.addNorm(plan.finalNorm, plan.hiddenSize);
      layout.addVector(plan.head.bias, plan.vocabularySize);
      for (const linear of [plan.embedding.projection, plan.outputProjection]) {
        if (!linear) continue;
        for (const id of ['', ...this.formatsOf(linear).keys()]) {
          const key = `${id} ${linear.weight}`;
          const placed = this.projections.get(key) ?? { ...linear };
          this.projections.set(key, placed);
          layout.addLinear(placed);
        }
      }
      return layout;
    };
    const { bytes } = lay(0);
    return lay(this.pool.reserve(bytes + 64).start);
  }

  private formatsOf({ weight }: LinearPlan): Map<string, NumberFormat> {
    const found = this.variants.map(({ formats }) => formats.get(weight));
    return new Map(found.filter((each) => each !== undefined).map((each) => [each.id, each]));
  }

  /** Fills what stays. */
  async load(weights: WeightStore): Promise<void> {
    await weights.loadVectors(this.layout.vectors);
    const placements: WeightPlacement[] = [];
    for (const linear of [this.plan.embedding.projection, this.plan.outputProjection]) {
      if (!linear) continue;
      const formats = this.formatsOf(linear);
      for (const [key, placed] of this.projections) {
        if (placed.weight !== linear.weight) continue;
        const format = formats.get(key.slice(0, key.indexOf(' ')));
        placements.push({ linear: placed, at: this.layout.linears.get(placed)!, format });
      }
    }
    if (placements.length > 0) await weights.pack(placements);
  }

  /** A projection outside the blocks, as a variant has it. */
  projection(linear: LinearPlan, variant: Variant | undefined): PlacedLinear {
    const id = variant?.formats.get(linear.weight)?.id ?? '';
    return this.layout.placeLinear(this.projections.get(`${id} ${linear.weight}`)!);
  }

  /** What follows the last block, as a variant has it. */
  end(variant: Variant | undefined): PlacedEnd {
    const { finalNorm, outputProjection, logitSoftCap } = this.plan;
    return {
      norm: finalNorm && this.layout.placeNorm(finalNorm),
      projection: outputProjection && this.projection(outputProjection, variant),
      logitSoftCap,
    };
  }

  /** Address of the head's bias, 0: none. */
  get headBias(): number {
    const { bias } = this.plan.head;
    return bias === undefined ? 0 : this.layout.vectors.get(bias)!;
  }

  /** The rotary tables for a window of so many positions. */
  rotary(windowLength: number): PlacedRotary | undefined {
    const { rotary } = this.plan;
    if (!rotary) return undefined;
    const long = isLongWindow(rotary, windowLength);
    let placed = this.tables.get(long);
    if (!placed) {
      const { cos, sin } = rotaryTables(rotary, this.longestWindow, windowLength);
      const { start } = this.pool.reserve(2 * cos.byteLength);
      placed = { dims: rotary.dims, cos: start, sin: start + cos.byteLength };
      new Float32Array(this.pool.memory.buffer, placed.cos, cos.length).set(cos);
      new Float32Array(this.pool.memory.buffer, placed.sin, sin.length).set(sin);
      this.tables.set(long, placed);
    }
    return placed;
  }
}
