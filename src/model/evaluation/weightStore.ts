import type { ForwardApi, StageApi } from '../forward/tasks.js';
import { getMatrixShape } from '../../checkpoint/matrixShape.js';
import { findLeastCommonMultiple, planChunks } from '../../compute/chunks.js';
import { findChunkBoundary, findTensorRanges } from '../../compute/tensorRanges.js';
import { needsTensorRange } from '../../formats/index.js';
import type { TaskMachine, TaskOf } from '../../compute/taskMachine.js';
import type { ScaleDtype } from '../../formats/types.js';
import { PANEL_ROWS } from '../../kernels/forwardKernels.js';
import type { FixedRange } from '../../kernels/types.js';
import type { FormatTask } from '../../compute/tasks.js';
import { countStoredBytes } from '../../storage/elementTypes.js';
import { countSourceBytes, type ModelTensor, type OpenedModel } from '../../checkpoint/types.js';
import { visible } from '../../storage/errors.js';
import type { LinearPlan } from '../config/plan.js';
import { tensorOfValues } from './tensorOfValues.js';
import type { TensorChange } from './types.js';
import { ChangeKeys } from './variants.js';

const COPY_BYTES = 4 << 20;

/** A linear weight, where its panels go, and how it is changed. */
export interface WeightPlacement {
  readonly linear: Pick<LinearPlan, 'weight' | 'outputs' | 'inputs' | 'firstRow'>;
  readonly at: number;
  /** Absent: as stored. */
  readonly change?: TensorChange;
  /** Only these rows of the map; default all. A multiple of a panel unless it is the end. */
  readonly firstRow?: number;
  readonly rows?: number;
}

/** A small tensor, and where it goes as f32. */
export interface VectorPlacement {
  readonly name: string;
  readonly at: number;
  /** Absent: as stored. */
  readonly change?: TensorChange;
}

/** What a store of weights works on, and with. */
export interface WeightStoreSetup {
  readonly pool: TaskMachine;
  readonly model: OpenedModel;
  readonly scaleDtype: ScaleDtype;
  readonly signal?: AbortSignal;
  /** What another machine has counted, where this one goes on in its place. */
  readonly before?: Pick<WeightStore, 'keys' | 'countsWithout'>;
}

/** Brings a model's weights into the shared memory: decoded or replaced, quantized, and packed. */
export class WeightStore {
  /** Tells how tensors are changed; the same in all parts of an evaluation. */
  readonly keys: ChangeKeys;
  private readonly pool: TaskMachine;
  private readonly model: OpenedModel;
  private readonly scaleDtype: ScaleDtype;
  private readonly signal?: AbortSignal;
  private readonly tensors: ReadonlyMap<string, ModelTensor>;
  /** By tensor and values. */
  private readonly ranges = new Map<string, FixedRange>();
  /** By tensor and first row. */
  private readonly nonFiniteByPiece = new Map<string, number>();
  private readonly before: WeightStoreSetup['before'];
  /** Addresses of bytes that lie in the shared memory, by tensor and first row. */
  private readonly cached = new Map<string, number>();

  constructor({ pool, model, scaleDtype, signal, before }: WeightStoreSetup) {
    this.before = before;
    this.keys = before?.keys ?? new ChangeKeys();
    this.pool = pool;
    this.model = model;
    this.scaleDtype = scaleDtype;
    this.signal = signal;
    this.tensors = new Map(model.tensors.map((tensor) => [tensor.name, tensor]));
  }

  tensor(name: string): ModelTensor {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new Error(`${this.model.path}: there is no tensor "${name}"`);
    return tensor;
  }

  /** A tensor with the values of a change, if it has any. */
  changed(name: string, { values, stored }: TensorChange = {}): ModelTensor {
    const tensor = this.tensor(name);
    return values ? tensorOfValues(tensor, values) : (stored ?? tensor);
  }

  /**
   * Linear weights seen so far, of the model and of others in their place, that are NaN or ±Inf; they count as 0.
   * @param head the tensor that is cut into pieces as memory allows, and packed whole by who comes last
   */
  countNonFinite(head: string): number {
    const counts = new Map(this.before?.countsWithout(head));
    for (const [piece, count] of this.nonFiniteByPiece) {
      // A piece that was being counted when its machine failed was counted in part.
      counts.set(piece, Math.max(count, counts.get(piece) ?? 0));
    }
    return [...counts.values()].reduce((sum, count) => sum + count, 0);
  }

  /** Counts by piece, but those of a tensor. */
  countsWithout(tensor: string): readonly (readonly [piece: string, count: number])[] {
    return [...this.nonFiniteByPiece].filter(([piece]) => !piece.endsWith(` ${tensor}`));
  }

  /** Whole small tensors as f32. @throws where values are not finite */
  async loadVectors(placements: readonly VectorPlacement[]): Promise<void> {
    const tasks: TaskOf<ForwardApi, 'loadVector'>[] = [];
    for (const { name, at, change } of placements) {
      if (change?.values) {
        if (!change.values.every(Number.isFinite)) throw notFinite(name);
        this.pool.write(at, change.values);
        continue;
      }
      const { source, offset, dtype, elements } = this.changed(name, change);
      tasks.push({ chunk: { source, offset, dtype, rows: 1, columns: elements }, target: at });
    }
    if (tasks.length === 0) return;
    await this.pool.tasks<ForwardApi>().run('loadVector', tasks, () => undefined, this.signal);
  }

  /** Bytes that the weights of a linear map take in {@link cacheBytes}, room for alignment included. */
  countKeptBytes(linear: LinearPlan): number {
    return Math.ceil(countSourceBytes(this.rowsOfMap(linear)) / 64) * 64;
  }

  /** Reads bytes as stored into the shared memory, for weights that are packed repeatedly. */
  async cacheBytes(places: ReadonlyMap<LinearPlan, number>): Promise<void> {
    this.cached.clear();
    const tasks: TaskOf<ForwardApi, 'loadBytes'>[] = [];
    for (const [linear, at] of places) {
      const tensor = this.rowsOfMap(linear);
      const { source } = tensor;
      const bytes = countSourceBytes(tensor);
      for (let done = 0; done < bytes; done += COPY_BYTES) {
        tasks.push({
          source,
          offset: tensor.offset + done,
          bytes: Math.min(COPY_BYTES, bytes - done),
          target: at + done,
          scratchBytes: 0,
        });
      }
    }
    await this.pool.tasks<ForwardApi>().run('loadBytes', tasks, () => undefined, this.signal);
    for (const [{ weight, firstRow = 0 }, at] of places) {
      this.cached.set(pieceOf(weight, firstRow), at);
    }
  }

  forgetBytes(): void {
    this.cached.clear();
  }

  /** Packs weights. @throws where values of a change are not finite */
  pack(placements: readonly WeightPlacement[]): Promise<void> {
    return this.load(placements, 'packWeights');
  }

  /** Brings weights into memory as rows of f32. @throws where values of a change are not finite */
  loadRows(placements: readonly WeightPlacement[]): Promise<void> {
    return this.load(placements, 'loadRows');
  }

  private async load(
    placements: readonly WeightPlacement[],
    method: 'packWeights' | 'loadRows',
  ): Promise<void> {
    await this.findRanges(placements);
    const owners: { readonly placement: WeightPlacement; readonly piece?: string }[] = [];
    const tasks: TaskOf<ForwardApi, 'packWeights'>[] = [];
    for (const placement of placements) {
      const piece = this.pieceToCount(placement);
      for (const task of this.packTasks(placement)) {
        tasks.push(task);
        owners.push({ placement, piece });
      }
    }
    await this.pool.tasks<Pick<ForwardApi, 'packWeights'> & Pick<StageApi, 'loadRows'>>().run(
      method,
      tasks,
      ({ nonFinite }, index) => {
        if (nonFinite === 0) return;
        const { placement, piece } = owners[index];
        if (placement.change?.values) throw notFinite(placement.linear.weight);
        if (piece === undefined) return;
        this.nonFiniteByPiece.set(piece, this.nonFiniteByPiece.get(piece)! + nonFinite);
      },
      this.signal,
    );
  }

  /** Each stored piece of a tensor counts once, in whatever format it comes first. */
  private pieceToCount({ linear, firstRow, change }: WeightPlacement): string | undefined {
    const place = pieceOf(linear.weight, (linear.firstRow ?? 0) + (firstRow ?? 0));
    const piece = `${this.keys.ofValues(change)}${place}`;
    if (change?.values || this.nonFiniteByPiece.has(piece)) return undefined;
    this.nonFiniteByPiece.set(piece, 0);
    return piece;
  }

  /** Tasks that bring weights into memory, a run of rows each. */
  *packTasks(placement: WeightPlacement): Generator<TaskOf<ForwardApi, 'packWeights'>> {
    const { linear, at, change, firstRow = 0, rows = linear.outputs - firstRow } = placement;
    const { weight, inputs } = linear;
    const start = (linear.firstRow ?? 0) + firstRow;
    const { format, noise } = change ?? {};
    const blocks = format ? findChunkBoundary([format]).blocks : 1;
    const boundary = {
      columns: 'row' as const,
      blocks: findLeastCommonMultiple(blocks, PANEL_ROWS * inputs),
    };
    let row = 0;
    const { chunkElements } = this.pool;
    const options = { boundary, chunkElements };
    for (const chunk of planChunks(this.rowsOf(weight, change, start, rows), options)) {
      yield {
        chunk,
        target: at + row * inputs * 4,
        ...(noise && { noise: { ...noise, first: (start + row) * inputs, columns: inputs } }),
        format: this.formatTask(weight, change),
        scaleDtype: this.scaleDtype,
      };
      row += chunk.rows;
    }
  }

  /** A run of a tensor's rows as a tensor, wherever it is read from. */
  private rowsOf(
    name: string,
    change: TensorChange | undefined,
    firstRow: number,
    rows: number,
  ): ModelTensor {
    const tensor = this.tensor(name);
    if (change?.values) {
      const { columns } = getMatrixShape(tensor);
      const part = change.values.subarray(firstRow * columns, (firstRow + rows) * columns);
      return tensorOfValues(tensor, part);
    }
    if (change?.stored) return this.pieceOfRows(change.stored, firstRow, rows);
    const piece = this.pieceOfRows(tensor, firstRow, rows);
    const { dtype, transposed } = piece;
    const { format, noise } = change ?? {};
    const isReadable = this.pool.readsLoaded({ dtype, transposed, format, isNoisy: !!noise });
    const cachedAt = isReadable ? this.cached.get(pieceOf(name, firstRow)) : undefined;
    return cachedAt === undefined ? piece : { ...piece, ...this.inSharedMemory(piece, cachedAt) };
  }

  /** The rows of a linear map as a tensor, as stored. */
  private rowsOfMap({ weight, firstRow = 0, outputs }: LinearPlan): ModelTensor {
    return this.pieceOfRows(this.tensor(weight), firstRow, outputs);
  }

  /** A run of a tensor's rows as a tensor, in the file. */
  private pieceOfRows(tensor: ModelTensor, firstRow: number, rows: number): ModelTensor {
    const shape = getMatrixShape(tensor);
    if (firstRow === 0 && rows === shape.rows) return tensor;
    if (tensor.transposed) {
      throw new Error(`"${tensor.name}" is transposed and cannot be read in pieces`);
    }
    const elements = rows * shape.columns;
    return {
      ...tensor,
      shape: [rows, shape.columns],
      matrixShape: undefined,
      offset: tensor.offset + countStoredBytes(tensor.dtype, firstRow * shape.columns),
      bytes: countStoredBytes(tensor.dtype, elements),
      elements,
    };
  }

  /** Where a tensor's bytes lie that were read before. */
  private inSharedMemory({ file }: ModelTensor, offset: number) {
    const source = this.pool.loadedSource(file);
    return { source, offset };
  }

  /** A change's format as a worker gets it, with the tensor's range where the format needs it. */
  formatTask(tensor: string, change: TensorChange | undefined): FormatTask | undefined {
    if (!change?.format) return undefined;
    const tensorRange = this.ranges.get(this.rangeKey(tensor, change));
    return { id: change.format.id, tensorRange };
  }

  /** Finds the extremes that formats need, once per tensor and its values. */
  async findRanges(
    placements: readonly Pick<WeightPlacement, 'linear' | 'change'>[],
  ): Promise<void> {
    const missing = new Map<string, ModelTensor>();
    for (const { linear, change } of placements) {
      const { weight } = linear;
      const key = this.rangeKey(weight, change);
      if (change?.format && needsTensorRange(change.format) && !this.ranges.has(key)) {
        missing.set(key, this.changed(weight, change));
      }
    }
    if (missing.size === 0) return;
    const ranges = await findTensorRanges(this.pool, [...missing.values()], this.signal);
    [...missing.keys()].forEach((key, index) => this.ranges.set(key, ranges[index]));
  }

  private rangeKey(tensor: string, change: TensorChange | undefined): string {
    return `${this.keys.ofValues(change)}${tensor}`;
  }
}

/** Names a run of a tensor's rows by where it begins. */
function pieceOf(tensor: string, firstRow: number): string {
  return `${firstRow} ${tensor}`;
}

function notFinite(tensor: string): Error {
  return new Error(`Values for "${visible(tensor)}" are not all finite`);
}
