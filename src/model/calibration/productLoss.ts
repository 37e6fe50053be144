import { countPackedWeightBytes } from '../../kernels/forwardKernels.js';
import type { MemoryRegion } from '../../kernels/workspace.js';
import { sumGram } from '../../methods/gram/gram.js';
import type { LinearPlan } from '../config/plan.js';
import type { InputSite } from '../forward/block.js';
import { rowsFrom } from '../forward/layers.js';
import { productScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, StageApi } from '../forward/tasks.js';
import type { CalibrationWalk, VisitedBlock } from './calibrationWalk.js';
import { scaledTasks } from './scaledTasks.js';
import { tilesOf } from './tiles.js';

type Steps = ForwardApi & StageApi;

/**
 * What other weights make of a site's linear maps, by the products of their inputs: ‖ΔX‖² = tr(Δ·ΣxᵀxΔᵀ). The
 * products are summed once; a candidate costs no more rows.
 */
export class ProductLoss {
  /** Σxᵀx in f32, packed. */
  private packed?: MemoryRegion;
  /** Whose products these are. */
  private kept?: InputSite;
  private differences?: MemoryRegion;

  constructor(private readonly walk: CalibrationWalk) {}

  /** Σ over all rows and outputs of the squared change, when weights become Q(w·s)/s. */
  async lossOf(
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
    factors?: Float32Array,
  ): Promise<number> {
    await this.sumProducts(block, site, linears);
    const [{ inputs }] = linears;
    const outputs = linears.reduce((sum, linear) => sum + linear.outputs, 0);
    const at = this.placeFor(outputs * inputs * 4);
    const places = new Map<LinearPlan, number>();
    let row = 0;
    for (const linear of linears) {
      places.set(linear, at + row * inputs * 4);
      row += linear.outputs;
    }
    const candidate = { factors, scaleBack: true, lessStored: true };
    const { request, options } = this.walk;
    const steps = request.pool.tasks<Steps>();
    const tasks = await scaledTasks(this.walk, linears, places, candidate);
    await steps.run('loadScaled', tasks, () => undefined, options.signal);
    let sum = 0;
    const forms = tilesOf(outputs).map(({ first, rows }) => ({
      matrix: rowsFrom({ at, stride: inputs }, first),
      rows,
      order: inputs,
      products: this.packed!.start,
      scratchBytes: productScratchBytes(rows, inputs),
    }));
    await steps.run('quadraticForm', forms, (form) => void (sum += form), options.signal);
    return sum;
  }

  /** Forgets the products: they are those of another block. */
  forget(): void {
    this.kept = undefined;
  }

  private async sumProducts(
    block: VisitedBlock,
    site: InputSite,
    linears: readonly LinearPlan[],
  ): Promise<void> {
    if (this.kept === site) return;
    const { stages, request, options, workspace } = this.walk;
    const { pool } = request;
    const [{ inputs: order }] = linears;
    const gram = { at: workspace.of(site, linears, stages.rows).gram.at, order };
    await sumGram(
      pool,
      gram,
      (add) => stages.observe(site, block.placed, ({ matrix, rows }) => add(matrix, rows)),
      options,
    );
    const bytes = countPackedWeightBytes(order, order);
    if ((this.packed?.bytes ?? 0) < bytes) this.packed = pool.reserve(bytes);
    const target = this.packed!.start;
    const tasks = tilesOf(order).map(({ first, rows }) => ({
      ...{ gram, band: { first, end: first + rows }, target },
      scratchBytes: rows * order * 4,
    }));
    await pool.tasks<Steps>().run('packGram', tasks, () => undefined, options.signal);
    this.kept = site;
  }

  private placeFor(bytes: number): number {
    if ((this.differences?.bytes ?? 0) < bytes) {
      this.differences = this.walk.request.pool.reserve(bytes);
    }
    return this.differences!.start;
  }
}
