import type { ForwardApi } from '../forward/tasks.js';
import { leastCommonMultiple, matrixShape, planChunks } from '../../compute/chunks.js';
import { chunkBoundary, needsTensorRange, tensorRanges } from '../../compute/tensorRanges.js';
import type { TaskOf, WorkerPool } from '../../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../../formats/types.js';
import { PANEL_ROWS } from '../../kernels/forwardKernels.js';
import type { FixedRange } from '../../kernels/types.js';
import type { FormatTask } from '../../compute/tasks.js';
import type { SourceRef } from '../../storage/sourceRef.js';
import { storedBytes } from '../../storage/elementTypes.js';
import type { OpenedModel, ModelTensor } from '../../checkpoint/types.js';
import type { LinearPlan } from '../config/plan.js';

const COPY_BYTES = 4 << 20;

/** A linear weight, where its panels go, and in which format. */
export interface WeightPlacement {
  readonly linear: LinearPlan;
  readonly at: number;
  /** Absent: as stored. */
  readonly format?: NumberFormat;
  /** Only these rows; default all. A multiple of a panel unless it is the end. */
  readonly firstRow?: number;
  readonly rows?: number;
}

/** Brings a model's weights into the shared memory, decoded, quantized and packed. */
export class WeightStore {
  private readonly tensors: ReadonlyMap<string, ModelTensor>;
  private readonly ranges = new Map<string, FixedRange>();
  /** By tensor and first row. */
  private readonly nonFiniteByPiece = new Map<string, number>();
  /** Tensors whose bytes lie in the shared memory, by address. */
  private readonly cached = new Map<string, number>();

  constructor(
    private readonly pool: WorkerPool,
    private readonly model: OpenedModel,
    private readonly scaleDtype: ScaleDtype,
    private readonly signal?: AbortSignal,
  ) {
    this.tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  }

  tensor(name: string): ModelTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`${this.model.path}: there is no tensor "${name}"`);
    return tensor;
  }

  /** Linear weights seen so far that are NaN or ±Inf; they count as 0. */
  get nonFinite(): number {
    return [...this.nonFiniteByPiece.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Whole small tensors as f32 at addresses. */
  async loadVectors(places: ReadonlyMap<string, number>): Promise<void> {
    const tasks = [...places].map(([name, target]): TaskOf<ForwardApi, 'loadVector'> => {
      const tensor = this.tensor(name);
      const { source, offset, dtype, elements } = tensor;
      return { chunk: { source, offset, dtype, rows: 1, columns: elements }, target };
    });
    await this.pool.tasks<ForwardApi>().run('loadVector', tasks, () => undefined, this.signal);
  }

  /** Reads the bytes of tensors into the shared memory, for weights that are packed repeatedly. */
  async cacheBytes(places: ReadonlyMap<string, number>): Promise<void> {
    this.cached.clear();
    const tasks: TaskOf<ForwardApi, 'loadBytes'>[] = [];
    for (const [name, at] of places) {
      const tensor = this.tensor(name);
      const { source } = tensor;
      for (let done = 0; done < tensor.bytes; done += COPY_BYTES) {
        tasks.push({
          source,
          offset: tensor.offset + done,
          bytes: Math.min(COPY_BYTES, tensor.bytes - done),
          target: at + done,
          scratchBytes: 0,
        });
      }
    }
    await this.pool.tasks<ForwardApi>().run('loadBytes', tasks, () => undefined, this.signal);
    for (const [name, at] of places) this.cached.set(name, at);
  }

  forgetBytes(): void {
    this.cached.clear();
  }

  /** Packs weights. */
  async pack(placements: readonly WeightPlacement[]): Promise<void> {
    await this.findRanges(placements);
    const owners: (string | undefined)[] = [];
    const tasks: TaskOf<ForwardApi, 'packWeights'>[] = [];
    for (const placement of placements) {
      // Each piece of a tensor counts once, in whatever format it comes first.
      const piece = `${placement.linear.weight} ${placement.firstRow ?? 0}`;
      const owner = this.nonFiniteByPiece.has(piece) ? undefined : piece;
      if (owner !== undefined) this.nonFiniteByPiece.set(piece, 0);
      for (const task of this.packTasks(placement)) {
        tasks.push(task);
        owners.push(owner);
      }
    }
    await this.pool.tasks<ForwardApi>().run(
      'packWeights',
      tasks,
      ({ nonFinite }, index) => {
        const owner = owners[index];
        if (owner === undefined) return;
        this.nonFiniteByPiece.set(owner, this.nonFiniteByPiece.get(owner)! + nonFinite);
      },
      this.signal,
    );
  }

  private *packTasks(placement: WeightPlacement): Generator<TaskOf<ForwardApi, 'packWeights'>> {
    const { linear, at, format, firstRow = 0, rows = linear.outputs - firstRow } = placement;
    const { weight, inputs } = linear;
    const tensor = this.tensor(weight);
    const blocks = format ? chunkBoundary([format]).blocks : 1;
    const boundary = {
      columns: 'row' as const,
      blocks: leastCommonMultiple(blocks, PANEL_ROWS * inputs),
    };
    const cachedAt = this.cached.get(weight);
    const held =
      cachedAt === undefined ? tensor : { ...tensor, ...this.inSharedMemory(tensor, cachedAt) };
    let row = 0;
    for (const chunk of planChunks(this.rowsOf(held, firstRow, rows), { boundary })) {
      yield {
        chunk,
        target: at + row * inputs * 4,
        format: format && this.formatTask(format, weight),
        scaleDtype: this.scaleDtype,
      };
      row += chunk.rows;
    }
  }

  /** A run of a tensor's rows as a tensor. */
  private rowsOf(tensor: ModelTensor, firstRow: number, rows: number): ModelTensor {
    const shape = matrixShape(tensor);
    if (firstRow === 0 && rows === shape.rows) return tensor;
    if (tensor.transposed) {
      throw new Error(`"${tensor.name}" is transposed and cannot be read in pieces`);
    }
    const elements = rows * shape.columns;
    return {
      ...tensor,
      shape: [rows, shape.columns],
      offset: tensor.offset + storedBytes(tensor.dtype, firstRow * shape.columns),
      bytes: storedBytes(tensor.dtype, elements),
      elements,
    };
  }

  /** Where a tensor's bytes lie that were read before. */
  private inSharedMemory({ file }: ModelTensor, offset: number) {
    const bytes = this.pool.memory.buffer as unknown as SharedArrayBuffer;
    const source: SourceRef = { kind: 'memory', name: file, bytes };
    return { source, offset };
  }

  /** A format as a worker gets it, with the tensor's range where the format needs it. */
  formatTask({ id }: NumberFormat, tensor: string): FormatTask {
    return { id, tensorRange: this.ranges.get(tensor) };
  }

  /** Finds the extremes that formats need, once per tensor. */
  async findRanges(
    placements: readonly Pick<WeightPlacement, 'linear' | 'format'>[],
  ): Promise<void> {
    const names = new Set<string>();
    for (const { linear, format } of placements) {
      if (format && needsTensorRange(format) && !this.ranges.has(linear.weight)) {
        names.add(linear.weight);
      }
    }
    if (names.size === 0) return;
    const tensors = [...names].map((name) => this.tensor(name));
    const ranges = await tensorRanges(this.pool, tensors, this.signal);
    tensors.forEach(({ name }, index) => this.ranges.set(name, ranges[index]));
  }
}
