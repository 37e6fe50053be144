import { leastCommonMultiple, matrixShape, planChunks } from '../compute/chunks.js';
import { sourceOf } from '../compute/sources.js';
import { chunkBoundary, needsTensorRange, tensorRanges } from '../compute/tensorRanges.js';
import type { TaskOf, WorkerPool } from '../compute/workerPool.js';
import type { NumberFormat, ScaleDtype } from '../formats/types.js';
import { PANEL_ROWS } from '../kernels/forwardKernels.js';
import type { FixedRange } from '../kernels/types.js';
import type { FormatTask, SourceRef } from '../protocol/worker.js';
import { DTYPES } from '../safetensors/dtypes.js';
import type { Checkpoint, CheckpointTensor } from '../safetensors/types.js';
import type { LinearPlan } from './plan.js';

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
  private readonly tensors: ReadonlyMap<string, CheckpointTensor>;
  private readonly ranges = new Map<string, FixedRange>();
  /** By tensor and first row. */
  private readonly nonFiniteByPiece = new Map<string, number>();
  /** Tensors whose bytes lie in the shared memory, by address. */
  private readonly cached = new Map<string, number>();

  constructor(
    private readonly pool: WorkerPool,
    private readonly checkpoint: Checkpoint,
    private readonly scaleDtype: ScaleDtype,
    private readonly signal?: AbortSignal,
  ) {
    this.tensors = new Map(checkpoint.tensors.map((tensor) => [tensor.name, tensor]));
  }

  tensor(name: string): CheckpointTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`${this.checkpoint.path}: there is no tensor "${name}"`);
    return tensor;
  }

  /** Linear weights seen so far that are NaN or ±Inf; they count as 0. */
  get nonFinite(): number {
    return [...this.nonFiniteByPiece.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Whole small tensors as f32 at addresses. */
  async loadVectors(places: ReadonlyMap<string, number>): Promise<void> {
    const tasks = [...places].map(([name, target]): TaskOf<'loadVector'> => {
      const tensor = this.tensor(name);
      const { offset, dtype, elements } = tensor;
      const source = sourceOf(this.checkpoint, tensor);
      return { chunk: { source, offset, dtype, rows: 1, columns: elements }, target };
    });
    await this.pool.run('loadVector', tasks, () => undefined, this.signal);
  }

  /** Reads the bytes of tensors into the shared memory, for weights that are packed repeatedly. */
  async cacheBytes(places: ReadonlyMap<string, number>): Promise<void> {
    this.cached.clear();
    const tasks: TaskOf<'loadBytes'>[] = [];
    for (const [name, at] of places) {
      const tensor = this.tensor(name);
      const source = sourceOf(this.checkpoint, tensor);
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
    await this.pool.run('loadBytes', tasks, () => undefined, this.signal);
    for (const [name, at] of places) this.cached.set(name, at);
  }

  forgetBytes(): void {
    this.cached.clear();
  }

  /** Packs weights. */
  async pack(placements: readonly WeightPlacement[]): Promise<void> {
    await this.findRanges(placements);
    const owners: (string | undefined)[] = [];
    const tasks: TaskOf<'packWeights'>[] = [];
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
    await this.pool.run(
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

  private *packTasks(placement: WeightPlacement): Generator<TaskOf<'packWeights'>> {
    const { linear, at, format, firstRow = 0, rows = linear.outputs - firstRow } = placement;
    const { weight, inputs, transposed } = linear;
    const tensor = this.tensor(weight);
    const blocks = format ? chunkBoundary([format]).blocks : 1;
    const boundary = {
      columns: 'row' as const,
      blocks: leastCommonMultiple(blocks, PANEL_ROWS * inputs),
    };
    const cachedAt = this.cached.get(weight);
    const source: SourceRef =
      cachedAt === undefined
        ? sourceOf(this.checkpoint, tensor)
        : { kind: 'memory', name: tensor.file, bytes: this.sharedBuffer() };
    const stored = this.rowsOf(tensor, transposed, firstRow, rows, cachedAt ?? tensor.offset);
    let row = 0;
    for (const chunk of planChunks(stored, source, { boundary, transposed })) {
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
  private rowsOf(
    tensor: CheckpointTensor,
    transposed: boolean,
    firstRow: number,
    rows: number,
    offset: number,
  ): CheckpointTensor {
    const shape = matrixShape(tensor, transposed);
    if (firstRow === 0 && rows === shape.rows) return { ...tensor, offset };
    if (transposed) throw new Error(`"${tensor.name}" is transposed and cannot be read in pieces`);
    const rowBytes = (shape.columns * DTYPES[tensor.dtype].bits) / 8;
    return {
      ...tensor,
      shape: [rows, shape.columns],
      offset: offset + firstRow * rowBytes,
      bytes: rows * rowBytes,
      elements: rows * shape.columns,
    };
  }

  private sharedBuffer(): SharedArrayBuffer {
    return this.pool.memory.buffer as unknown as SharedArrayBuffer;
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
    const ranges = await tensorRanges(this.pool, this.checkpoint, tensors, this.signal);
    tensors.forEach(({ name }, index) => this.ranges.set(name, ranges[index]));
  }
}
