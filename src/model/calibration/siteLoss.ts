import type { TaskOf } from '../../compute/taskMachine.js';
import { formatForWidth } from '../../formats/index.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import type { LinearPlan } from '../config/plan.js';
import { linearsAt, type InputSite } from '../forward/block.js';
import { rowsFrom } from '../forward/layers.js';
import { blockScratchBytes } from '../forward/scratch.js';
import type { ForwardApi, StageApi } from '../forward/tasks.js';
import type { SiteRows } from './blockStages.js';
import type { CalibrationWalk, VisitedBlock } from './calibrationWalk.js';

/** Rows of a task. */
const TILE_ROWS = 160;

type Steps = ForwardApi & StageApi;

/** How the linear maps of a site are changed, for a moment. */
interface Candidate {
  /** f32 [inputs]; absent: none. */
  readonly factors?: Float32Array;
  /** Weights are Q(w·s)/s; else Q(w·s), for inputs that are divided by s. */
  readonly scaleBack: boolean;
  /** The difference that it makes, instead of the weights. */
  readonly lessStored: boolean;
}

/**
 * What quantizing the linear maps of a site costs, by the calibration windows. The windows stand before
 * the site; the block's weights in memory are those of the model, and are so again afterwards.
 */
export class SiteLoss {
  /** Outputs of the module as the model has them, of all rows. */
  private reference?: number;
  /** Outputs of a group. */
  private target?: Matrix;

  constructor(private readonly walk: CalibrationWalk) {}

  /**
   * Mean squared change of the output of attention or of the feed-forward part, before it is added to the
   * hidden states, when the site's weights become Q(w·s)/s.
   */
  async ofModule(block: VisitedBlock, site: InputSite, factors?: Float32Array): Promise<number> {
    const { walk } = this;
    const part = site === 'attention' || site === 'attentionOutput' ? 'attention' : 'feedForward';
    const linears = this.quantized(block, site);
    await this.keepReference(block, part);
    await this.pack(block, linears, { factors, scaleBack: true, lessStored: false });
    const { hiddenSize } = walk.request.model.plan;
    const reference: Matrix = { at: this.reference!, stride: hiddenSize };
    let sum = 0;
    await walk.stages.outputs(part, block.placed, this.outputs(hiddenSize), async (rows, first) => {
      sum += await this.sumSquares(rows, hiddenSize, rowsFrom(reference, first));
    });
    await walk.pack(block, linears, (name) => walk.base(name));
    return sum / walk.stages.rows / hiddenSize;
  }

  /** Mean squared change of the linear maps' own outputs, when their weights become Q(w·s)/s. */
  async ofLinears(block: VisitedBlock, site: InputSite, factors?: Float32Array): Promise<number> {
    const { walk } = this;
    const linears = this.quantized(block, site);
    await this.pack(block, linears, { factors, scaleBack: true, lessStored: true });
    let sum = 0;
    await walk.stages.observe(site, block.placed, async (rows) => {
      for (const linear of linears) {
        const outputs = this.outputs(linear.outputs);
        await this.apply(block, { ...linear, bias: undefined }, linear, rows, outputs);
        sum += await this.sumSquares({ matrix: outputs, rows: rows.rows }, linear.outputs);
      }
    });
    await walk.pack(block, linears, (name) => walk.base(name));
    const outputs = linears.reduce((all, linear) => all + linear.outputs, 0);
    return sum / walk.stages.rows / outputs;
  }

  /** Forgets the module's outputs: they are those of another block. */
  forget(): void {
    this.kept = undefined;
  }

  private kept?: 'attention' | 'feedForward';

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

  private async pack(
    { layout }: VisitedBlock,
    linears: readonly LinearPlan[],
    candidate: Candidate,
  ): Promise<void> {
    const { request, weights, options } = this.walk;
    const { format, pool } = request;
    const placements = linears.map((linear) => ({
      linear,
      at: layout.linears.get(linear)!,
      change: {
        ...this.walk.base(linear.weight),
        format: formatForWidth(format, linear.inputs),
      },
    }));
    await weights.findRanges(placements);
    const tasks = placements.flatMap((placement) =>
      [...weights.packTasks(placement)].map((task) => ({ ...task, ...candidate })),
    );
    await pool.tasks<Steps>().run('packScaled', tasks, () => undefined, options.signal);
  }

  /** A linear map of a group's inputs. */
  private async apply(
    { placed, layout }: VisitedBlock,
    plan: LinearPlan,
    key: LinearPlan,
    { matrix, rows }: SiteRows,
    target: Matrix,
  ): Promise<void> {
    const { pool } = this.walk.request;
    const { outputs, inputs } = plan;
    const linear = { packed: layout.linears.get(key)!, bias: 0, outputs, inputs };
    const tasks: TaskOf<Steps, 'applyLinear'>[] = [];
    for (let first = 0; first < rows; first += TILE_ROWS) {
      const count = Math.min(TILE_ROWS, rows - first);
      tasks.push({
        linear,
        source: rowsFrom(matrix, first),
        rows: count,
        target: rowsFrom(target, first),
        scratchBytes: blockScratchBytes(placed, count),
      });
    }
    await pool.tasks<Steps>().run('applyLinear', tasks, () => undefined, this.walk.options.signal);
  }

  private async sumSquares(
    { matrix, rows }: SiteRows,
    columns: number,
    other?: Matrix,
  ): Promise<number> {
    const { pool } = this.walk.request;
    const tasks: TaskOf<Steps, 'squaredDifference'>[] = [];
    for (let first = 0; first < rows; first += TILE_ROWS) {
      tasks.push({
        one: rowsFrom(matrix, first),
        other: other && rowsFrom(other, first),
        rows: Math.min(TILE_ROWS, rows - first),
        columns,
        scratchBytes: 0,
      });
    }
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
      const { start } = request.pool.reserve(stages.groupRows * most * 4);
      this.target = { at: start, stride: most };
    }
    return { at: this.target.at, stride: columns };
  }
}
