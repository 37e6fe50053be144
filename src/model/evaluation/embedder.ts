import type { ForwardApi } from '../forward/tasks.js';
import { chunkBoundary } from '../../compute/tensorRanges.js';
import type { TaskOf, WorkerPool } from '../../compute/workerPool.js';
import type { Matrix } from '../../kernels/forwardKernels.js';
import { regionBytesFor } from '../../kernels/workspace.js';
import type { EvaluationMemory } from './evaluationMemory.js';
import type { EvaluationSettings, LanguageModel, Variant } from './types.js';
import type { WeightStore } from './weightStore.js';

const TILE_ROWS = 128;
const PROJECTION_SLACK = 1 << 16;

/** Writes the hidden states that enter the first block. */
export class Embedder {
  /** Embeddings before their projection. */
  private readonly unprojected: number;

  constructor(
    private readonly pool: WorkerPool,
    private readonly model: LanguageModel,
    private readonly memory: EvaluationMemory,
    private readonly weights: WeightStore,
    private readonly settings: EvaluationSettings,
    maxRows: number,
    private readonly signal?: AbortSignal,
  ) {
    const { projection, size } = model.plan.embedding;
    this.unprojected = projection ? pool.reserve(maxRows * size * 4).start : 0;
  }

  /** @param hidden address of the first of the windows' rows */
  async embed(
    windows: readonly Int32Array[],
    hidden: number,
    variant: Variant | undefined,
  ): Promise<void> {
    const { embedding, hiddenSize } = this.model.plan;
    const { tokens, size, scale, projection, positions } = embedding;
    const rows = windows.reduce((sum, { length }) => sum + length, 0);
    const ids = new Int32Array(rows);
    const places = new Int32Array(rows);
    let at = 0;
    for (const window of windows) {
      ids.set(window, at);
      window.forEach((_, position) => (places[at + position] = position));
      at += window.length;
    }
    const target: Matrix = { at: hidden, stride: hiddenSize };
    const embedded = projection ? { at: this.unprojected, stride: size } : target;
    await this.gather(tokens, ids, embedded, scale, false, variant);
    if (projection) {
      await this.project(embedded, rows, target, variant);
    }
    if (positions) {
      const offset = places.map((place) => place + positions.offset);
      await this.gather(positions.tensor, offset, target, 1, true, variant);
    }
  }

  private async gather(
    name: string,
    ids: Int32Array,
    target: Matrix,
    scale: number,
    add: boolean,
    variant: Variant | undefined,
  ): Promise<void> {
    const change = variant?.changes.get(name);
    const tensor = this.weights.changed(name, change);
    const [rows, columns] = tensor.shape;
    const linear = { weight: name, outputs: rows, inputs: columns };
    await this.weights.findRanges([{ linear, change }]);
    const block = change?.format ? chunkBoundary([change.format]).blocks : 1;
    const { source, offset, dtype } = tensor;
    const tasks: TaskOf<ForwardApi, 'gatherRows'>[] = [];
    for (let first = 0; first < ids.length; first += TILE_ROWS) {
      tasks.push({
        matrix: { source, offset, dtype, rows, columns },
        rows: ids.slice(first, first + TILE_ROWS),
        target: { at: target.at + first * target.stride * 4, stride: target.stride },
        scale,
        add,
        format: this.weights.formatTask(name, change),
        scaleDtype: this.settings.scaleDtype,
        scratchBytes: regionBytesFor(columns + 2 * block),
      });
    }
    await this.pool.tasks<ForwardApi>().run('gatherRows', tasks, () => undefined, this.signal);
  }

  private async project(
    source: Matrix,
    rows: number,
    target: Matrix,
    variant: Variant | undefined,
  ): Promise<void> {
    const linear = this.memory.fixed.projection(this.model.plan.embedding.projection!, variant);
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
    await this.pool.tasks<ForwardApi>().run('applyLinear', tasks, () => undefined, this.signal);
  }
}
