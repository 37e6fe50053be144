import type { ForwardApi } from '../forward/tasks.js';
import { findChunkBoundary } from '../../compute/tensorRanges.js';
import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import { countRegionBytes } from '../../kernels/workspace.js';
import type { ScaleDtype } from '../../formats/types.js';
import type { LinearPlan, ModelPlan } from '../config/plan.js';
import type { FixedTensors } from './fixedTensors.js';
import type { SiteObservation } from './inputObservation.js';
import type { Variant } from './types.js';
import type { WeightStore } from './weightStore.js';

const TILE_ROWS = 128;
const PROJECTION_SLACK = 1 << 16;

export interface EmbedderSetup {
  readonly pool: TaskMachine;
  readonly plan: ModelPlan;
  /** Where the embedding's projection lies. */
  readonly fixed: FixedTensors;
  readonly weights: WeightStore;
  readonly scaleDtype: ScaleDtype;
  /** Rows that are embedded together, at most. */
  readonly maxRows: number;
  readonly signal?: AbortSignal;
}

/** Windows that get hidden states. */
export interface Embedding {
  readonly windows: readonly { readonly index: number; readonly ids: Int32Array }[];
  /** Address of the first of the windows' rows. */
  readonly hidden: number;
  /** Absent: the unquantized model. */
  readonly variant?: Variant;
  /** What is wanted of the inputs of the projection, where there is one. */
  readonly observation?: SiteObservation<'projection'>;
}

/** Rows of an embedding that are read. */
interface Gathering {
  /** Of the tensor. */
  readonly name: string;
  /** Rows of the tensor, one for each row of the target. */
  readonly ids: Int32Array;
  readonly target: Matrix;
  readonly scale: number;
  /** Add to what is there. */
  readonly add: boolean;
  readonly variant?: Variant;
}

/** Embeddings that are projected to the hidden size. */
interface Projection {
  readonly projection: LinearPlan;
  readonly source: Matrix;
  readonly rows: number;
  readonly target: Matrix;
  readonly variant?: Variant;
}

/** Writes the hidden states that enter the first block. */
export class Embedder {
  private readonly setup: EmbedderSetup;
  /** Embeddings before their projection. */
  private readonly unprojected: number;

  constructor(setup: EmbedderSetup) {
    this.setup = setup;
    const { projection, size } = setup.plan.embedding;
    this.unprojected = projection ? setup.pool.reserve(setup.maxRows * size * 4).start : 0;
  }

  async embed({ windows, hidden, variant, observation }: Embedding): Promise<void> {
    const { embedding, hiddenSize } = this.setup.plan;
    const { tokens, size, scale, projection, positions } = embedding;
    const rows = windows.reduce((sum, { ids: { length } }) => sum + length, 0);
    const ids = new Int32Array(rows);
    const places = new Int32Array(rows);
    let at = 0;
    for (const window of windows) {
      ids.set(window.ids, at);
      window.ids.forEach((_, position) => (places[at + position] = position));
      at += window.ids.length;
    }
    const target: Matrix = { at: hidden, stride: hiddenSize };
    const embedded = projection ? { at: this.unprojected, stride: size } : target;
    await this.gather({ name: tokens, ids, target: embedded, scale, add: false, variant });
    if (projection) {
      const observed = windows.map((window) => ({ index: window.index, rows: window.ids.length }));
      await observation?.observe('projection', embedded.at, observed);
      await this.project({ projection, source: embedded, rows, target, variant });
    }
    if (positions) {
      const { tensor: name, offset } = positions;
      const ofPositions = places.map((place) => place + offset);
      await this.gather({ name, ids: ofPositions, target, scale: 1, add: true, variant });
    }
  }

  private async gather(gathering: Gathering): Promise<void> {
    const { name, ids, target, scale, add, variant } = gathering;
    const { pool, weights, scaleDtype, signal } = this.setup;
    const change = variant?.changes.get(name);
    const tensor = weights.changed(name, change);
    const [rows, columns] = tensor.shape;
    const linear = { weight: name, outputs: rows, inputs: columns };
    await weights.findRanges([{ linear, change }]);
    const block = change?.format ? findChunkBoundary([change.format]).blocks : 1;
    const { source, offset, dtype } = tensor;
    const tasks: TaskOf<ForwardApi, 'gatherRows'>[] = [];
    for (let first = 0; first < ids.length; first += TILE_ROWS) {
      tasks.push({
        matrix: { source, offset, dtype, rows, columns },
        rows: ids.slice(first, first + TILE_ROWS),
        target: { at: target.at + first * target.stride * 4, stride: target.stride },
        scale,
        add,
        noise: change?.noise,
        format: weights.formatTask(name, change),
        scaleDtype,
        scratchBytes: countRegionBytes(columns + 2 * block),
      });
    }
    await pool.tasks<ForwardApi>().run('gatherRows', tasks, () => undefined, signal);
  }

  private async project({ projection, source, rows, target, variant }: Projection): Promise<void> {
    const { pool, fixed, signal } = this.setup;
    const linear = fixed.projection(projection, variant);
    const tasks: TaskOf<ForwardApi, 'applyLinear'>[] = [];
    for (let first = 0; first < rows; first += TILE_ROWS) {
      tasks.push({
        linear,
        rows: Math.min(TILE_ROWS, rows - first),
        source: { at: source.at + first * source.stride * 4, stride: source.stride },
        target: { at: target.at + first * target.stride * 4, stride: target.stride },
        scratchBytes: (TILE_ROWS + 16) * linear.inputs * 4 + PROJECTION_SLACK,
      });
    }
    await pool.tasks<ForwardApi>().run('applyLinear', tasks, () => undefined, signal);
  }
}
