import type { ActivationFormat } from '../../formats/activations.js';
import { countPackedWeightBytes, scaleOfRange, type Matrix } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import type { LinearPlan } from '../config/plan.js';
import { linearsAt, type InputSite } from '../forward/block.js';
import { rowsFrom } from '../forward/layers.js';
import { blockScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, PlacedLinear, PlacedRounding, StageApi } from '../forward/tasks.js';
import type { SiteRows } from './blockStages.js';
import type { CalibrationWalk, VisitedBlock } from './calibrationWalk.js';
import { ProductLoss } from './productLoss.js';
import { scaledTasks, type Candidate } from './scaledTasks.js';
import { tilesOf } from './tiles.js';

type Steps = ForwardApi & StageApi;

/**
 * What quantizing the linear maps of a site costs, by the calibration windows. The windows stand before
 * the site; the block's weights in memory are those of the model, and are so again afterwards.
 */
export class SiteLoss {
  /** Outputs of the module as the model has them, of all rows. */
  private reference?: number;
  /** Whose outputs these are. */
  private kept?: 'attention' | 'feedForward';
  /** Outputs of a group, twice. */
  private target?: Matrix;
  private divided?: MemoryRegion;
  private candidates?: MemoryRegion;
  private readonly products: ProductLoss;

  constructor(private readonly walk: CalibrationWalk) {
    this.products = new ProductLoss(walk);
  }

  /**
   * Mean squared change of the output of attention or of the feed-forward part, before it is added to the
   * hidden states, when the site's weights become Q(w·s)/s.
   * @param atMost larger ones end with what some of the rows come to, where that is larger already
   */
  async ofModule(
    block: VisitedBlock,
    site: InputSite,
    factors?: Float32Array,
    atMost = Infinity,
  ): Promise<number> {
    const { walk } = this;
    const part = site === 'attention' || site === 'attentionOutput' ? 'attention' : 'feedForward';
    const linears = this.quantized(block, site);
    await this.keepReference(block, part);
    await this.pack(block, linears, { factors, scaleBack: true, lessStored: false });
    const { hiddenSize } = walk.request.model.plan;
    const reference: Matrix = { at: this.reference!, stride: hiddenSize };
    let sum = 0;
    const mean = () => sum / walk.stages.rows / hiddenSize;
    await walk.stages.outputs(part, block.placed, this.outputs(hiddenSize), async (rows, first) => {
      sum += await this.sumSquares(rows, hiddenSize, rowsFrom(reference, first));
      return mean() > atMost ? 'enough' : undefined;
    });
    await walk.pack(block, linears, (name) => walk.request.base.get(name));
    return mean();
  }

  /**
   * Mean squared change of the linear maps' own outputs, when their weights become Q(w·s)/s; where activations
   * are rounded too, when they become Q(w·s) and inputs Q(x/s).
   * @param largest of each input, over all rows: what static scales of activations follow from
   * @param atMost as of {@link ofModule}
   */
  async ofLinears(
    block: VisitedBlock,
    site: InputSite,
    largest: Float32Array,
    factors?: Float32Array,
    atMost = Infinity,
  ): Promise<number> {
    const { walk } = this;
    const linears = this.quantized(block, site);
    const { activations } = walk.request;
    const outputs = linears.reduce((all, linear) => all + linear.outputs, 0);
    const meanOf = (sum: number) => sum / walk.stages.rows / outputs;
    if (!activations) return meanOf(await this.products.lossOf(block, site, linears, factors));
    const inputRounding = roundingOf(activations, largest, factors);
    const inputs = this.inputsOf(linears[0]);
    const places = this.candidatePlaces(linears);
    await this.pack(block, linears, { factors, scaleBack: false, lessStored: false }, places);
    let sum = 0;
    await walk.stages.observe(site, block.placed, async (rows) => {
      const scaled = factors ? await this.divide(rows, factors, inputs) : rows;
      for (const linear of linears) {
        const changed = { ...placedAt(linear, places.get(linear)!), inputRounding };
        const one = this.outputs(linear.outputs);
        await this.apply(block, changed, scaled, one);
        const other = { at: one.at + rows.rows * linear.outputs * 4, stride: linear.outputs };
        const stored = placedAt(linear, block.layout.linears.get(linear)!);
        await this.apply(block, stored, rows, other);
        sum += await this.sumSquares({ matrix: one, rows: rows.rows }, linear.outputs, other);
      }
      return meanOf(sum) > atMost ? 'enough' : undefined;
    });
    return meanOf(sum);
  }

  /** Forgets what belongs to another block. */
  forget(): void {
    this.kept = undefined;
    this.products.forget();
  }

  private async keepReference(
    block: VisitedBlock,
    part: 'attention' | 'feedForward',
  ): Promise<void> {
    if (this.kept === part) return;
    const { walk } = this;
    const { pool, model } = walk.request;
    const { hiddenSize } = model.plan;
    this.reference ??= pool.reserve(walk.stages.rows * hiddenSize * 4).start;
    const reference: Matrix = { at: this.reference, stride: hiddenSize };
    const target = this.outputs(hiddenSize);
    await walk.stages.outputs(part, block.placed, target, ({ matrix, rows }, first) => {
      pool.copy(matrix.at, rowsFrom(reference, first).at, rows * hiddenSize * 4);
      return Promise.resolve();
    });
    this.kept = part;
  }

  /** Linear maps of a site that are to be quantized. */
  private quantized(block: VisitedBlock, site: InputSite): readonly LinearPlan[] {
    const { tensors } = this.walk.request;
    return linearsAt(block.plan, site).filter(({ weight }) => tensors.has(weight));
  }

  /** @param places of packed weights; default: where those of the block are */
  private async pack(
    { layout }: VisitedBlock,
    linears: readonly LinearPlan[],
    candidate: Candidate,
    places: ReadonlyMap<LinearPlan, number> = layout.linears,
  ): Promise<void> {
    const { request, options } = this.walk;
    const { pool } = request;
    const tasks = await scaledTasks(this.walk, linears, places, candidate);
    await pool.tasks<Steps>().run('packScaled', tasks, () => undefined, options.signal);
  }

  /** A linear map of a group's inputs. */
  private async apply(
    { placed }: VisitedBlock,
    linear: PlacedLinear,
    { matrix, rows }: SiteRows,
    target: Matrix,
  ): Promise<void> {
    const tasks = tilesOf(rows).map(({ first, rows: count }) => ({
      linear,
      source: rowsFrom(matrix, first),
      rows: count,
      target: rowsFrom(target, first),
      scratchBytes: blockScratchBytes(placed, count),
    }));
    const { pool } = this.walk.request;
    await pool.tasks<Steps>().run('applyLinear', tasks, () => undefined, this.walk.options.signal);
  }

  /** Rows divided by factors, in a place of their own. */
  private async divide(
    { matrix, rows }: SiteRows,
    factors: Float32Array,
    at: number,
  ): Promise<SiteRows> {
    const { pool } = this.walk.request;
    const columns = factors.length;
    const target: Matrix = { at, stride: columns };
    const tasks = tilesOf(rows).map(({ first, rows: count }) => ({
      source: rowsFrom(matrix, first),
      target: rowsFrom(target, first),
      rows: count,
      columns,
      factors,
      scratchBytes: 0,
    }));
    await pool.tasks<Steps>().run('divideRows', tasks, () => undefined, this.walk.options.signal);
    return { matrix: target, rows };
  }

  /** Room for a group's inputs. */
  private inputsOf({ inputs }: LinearPlan): number {
    const { request, stages } = this.walk;
    const bytes = stages.groupRows * inputs * 4;
    if ((this.divided?.bytes ?? 0) < bytes) this.divided = request.pool.reserve(bytes);
    return this.divided!.start;
  }

  /** Room for changed weights beside those of the block. */
  private candidatePlaces(linears: readonly LinearPlan[]): ReadonlyMap<LinearPlan, number> {
    let bytes = 0;
    const offsets = linears.map((linear) => {
      const offset = bytes;
      bytes += countPackedWeightBytes(linear.outputs, linear.inputs);
      return offset;
    });
    if ((this.candidates?.bytes ?? 0) < bytes) {
      this.candidates = this.walk.request.pool.reserve(bytes);
    }
    return new Map(linears.map((linear, i) => [linear, this.candidates!.start + offsets[i]]));
  }

  private async sumSquares(
    { matrix, rows }: SiteRows,
    columns: number,
    other?: Matrix,
  ): Promise<number> {
    const { pool } = this.walk.request;
    const tasks = tilesOf(rows).map(({ first, rows: count }) => ({
      one: rowsFrom(matrix, first),
      other: other && rowsFrom(other, first),
      rows: count,
      columns,
      scratchBytes: 0,
    }));
    let sum = 0;
    const add = (value: number) => void (sum += value);
    await pool.tasks<Steps>().run('squaredDifference', tasks, add, this.walk.options.signal);
    return sum;
  }

  private outputs(columns: number): Matrix {
    const { stages, request } = this.walk;
    if (!this.target) {
      const { plan } = request.model;
      const sizes = plan.blocks.flatMap((block) =>
        (['attention', 'attentionOutput', 'feedForward', 'down'] as const).flatMap((site) =>
          linearsAt(block, site).map(({ outputs }) => outputs),
        ),
      );
      const most = Math.max(...sizes, plan.hiddenSize);
      const { start } = request.pool.reserve(2 * stages.groupRows * most * 4);
      this.target = { at: start, stride: most };
    }
    return { at: this.target.at, stride: columns };
  }
}

/** A linear map without its bias, which adds nothing to a difference. */
function placedAt({ outputs, inputs }: LinearPlan, packed: number): PlacedLinear {
  return { packed, bias: 0, outputs, inputs };
}

/** How inputs x/s are rounded. */
function roundingOf(
  { entry: { levels, scaling } }: ActivationFormat,
  largest: Float32Array,
  factors: Float32Array | undefined,
): PlacedRounding {
  if (scaling === 'token') return { levels };
  const range = largest.reduce(
    (most, value, input) => Math.max(most, factors ? value / factors[input] : value),
    0,
  );
  return { levels, scale: scaleOfRange(range, levels) };
}
