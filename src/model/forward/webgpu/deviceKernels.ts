import { SLOT_BYTES, type Borrowed, type GpuMemory } from '../../../compute/webgpu/gpuMemory.js';
import { readBytes } from '../../../compute/webgpu/gpuService.js';
import {
  SCORE,
  type DivergenceTile,
  type GatedActivation,
  type LayerKernels,
  type LayerNorm,
  type LogitTile,
  type Matrix,
  type Product,
  type RmsNorm,
  type Rotation,
  type RowRounding,
} from '../../../kernels/forwardKernels.js';
import type { GpuMatrix } from '../../../kernels/webgpu/forward/matrix.js';
import type { GpuForwardKernels } from '../../../kernels/webgpu/gpuForwardKernels.js';
import type { GpuView } from '../../../kernels/webgpu/gpu.js';
import type { PickedRows, Routing } from '../layers.js';

/** Bytes of a row's running sums on the device: words where the host has f64. */
const SUM_BYTES = SCORE.length * 4;

/** Causal attention of several heads over one window; strides are floats from one head to the next. */
export interface HeadsAttention {
  readonly rows: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly headSize: number;
  readonly scale: number;
  readonly window: number;
  readonly softCap: number;
  readonly queries: Matrix;
  readonly queryStride: number;
  readonly keys: Matrix;
  readonly keyStride: number;
  readonly values: Matrix;
  readonly valueStride: number;
  readonly output: Matrix;
}

/** The loops of a forward pass on a device, over the addresses of its memory. They record commands. */
export class DeviceKernels implements LayerKernels {
  constructor(
    readonly memory: GpuMemory,
    private readonly kernels: GpuForwardKernels,
  ) {}

  /** To be awaited before the first product. */
  chooseProducts(): Promise<void> {
    return this.kernels.chooseProducts();
  }

  packedInputBytes(rows: number, inputs: number): number {
    return rows * inputs * 4;
  }

  packInputs(source: Matrix, rows: number, inputs: number, target: number): void {
    this.copy(source, rows, inputs, { at: target, stride: inputs });
  }

  multiply(product: Product): void {
    const { packedInputs, packedWeights, bias, output, inputs, outputs, accumulate } = product;
    const source = { at: packedInputs, stride: inputs };
    const most = this.rowsAtOnce(inputs, output.stride);
    const outputsAtOnce = this.rowsAtOnce(inputs);
    for (let column = 0; column < outputs; column += outputsAtOnce) {
      const count = Math.min(outputsAtOnce, outputs - column);
      for (let first = 0; first < product.rows; first += most) {
        const rows = Math.min(most, product.rows - first);
        this.using((use) =>
          this.kernels.multiply({
            inputs: use.matrix(from(source, first), rows, inputs),
            weights: use.view(packedWeights + column * inputs * 4, count * inputs * 4),
            bias: bias === 0 ? undefined : use.view(bias + column * 4, count * 4),
            output: use.matrix(from(output, first, column), rows, count, 'write'),
            rows,
            outputs: count,
            columns: inputs,
            accumulate,
          }),
        );
      }
    }
  }

  rmsNorm({ weightOffset, ...norm }: RmsNorm): void {
    this.norm(norm, (task) => this.kernels.rmsNorm({ ...task, weightOffset }));
  }

  layerNorm(norm: LayerNorm): void {
    this.norm(norm, (task, use) => {
      const bias = norm.bias === 0 ? undefined : use.view(norm.bias, norm.columns * 4);
      this.kernels.layerNorm({ ...task, bias });
    });
  }

  rotate({ values, rows, heads, headStride, dims, cos, sin, interleaved }: Rotation): void {
    const columns = (heads - 1) * headStride + dims;
    this.forRows(rows, [values.stride], (first, count) =>
      this.using((use) => {
        const skip = first * dims * 2;
        this.kernels.rotate({
          values: use.matrix(from(values, first), count, columns, 'write'),
          rows: count,
          heads,
          headStride,
          dims,
          cos: use.view(cos + skip, count * dims * 2),
          sin: use.view(sin + skip, count * dims * 2),
          interleaved,
          position: 0,
        });
      }),
    );
  }

  attendHeads(task: HeadsAttention): void {
    const { rows, heads, keyValueHeads, headSize, queries, keys, values, output } = task;
    const width = (count: number, stride: number) => (count - 1) * stride + headSize;
    this.using((use) =>
      this.kernels.attend({
        ...task,
        queries: use.matrix(queries, rows, width(heads, task.queryStride)),
        keys: use.matrix(keys, rows, width(keyValueHeads, task.keyStride)),
        values: use.matrix(values, rows, width(keyValueHeads, task.valueStride)),
        output: use.matrix(output, rows, heads * headSize, 'write'),
      }),
    );
  }

  activate({ activation, gate, up, rows, columns, target }: GatedActivation): void {
    const strides = [gate.stride, target.stride, up?.stride ?? 0];
    this.forRows(rows, strides, (first, count) =>
      this.using((use) =>
        this.kernels.activate({
          activation,
          gate: use.matrix(from(gate, first), count, columns),
          up: up && use.matrix(from(up, first), count, columns),
          rows: count,
          columns,
          target: use.matrix(from(target, first), count, columns, 'write'),
        }),
      ),
    );
  }

  roundRows({ source, target, rows, columns, levels, scale }: RowRounding): void {
    this.forRows(rows, [source.stride, target.stride], (first, count) =>
      this.using((use) => {
        const place = use.matrix(from(target, first), count, columns, 'write');
        const isSame = source.at === target.at;
        this.kernels.roundRows({
          source: isSame ? place : use.matrix(from(source, first), count, columns),
          rows: count,
          columns,
          target: place,
          levels,
          scale,
        });
      }),
    );
  }

  add(source: Matrix, rows: number, columns: number, target: Matrix): void {
    this.forRows(rows, [source.stride, target.stride], (first, count) =>
      this.using((use) =>
        this.kernels.add({
          source: use.matrix(from(source, first), count, columns),
          rows: count,
          columns,
          target: use.matrix(from(target, first), count, columns, 'write'),
        }),
      ),
    );
  }

  scale(values: Matrix, rows: number, columns: number, factor: number): void {
    this.forRows(rows, [values.stride], (first, count) =>
      this.using((use) =>
        this.kernels.scale(
          use.matrix(from(values, first), count, columns, 'write'),
          count,
          columns,
          factor,
        ),
      ),
    );
  }

  softCap(values: Matrix, rows: number, columns: number, cap: number): void {
    this.forRows(rows, [values.stride], (first, count) =>
      this.using((use) =>
        this.kernels.softCap(
          use.matrix(from(values, first), count, columns, 'write'),
          count,
          columns,
          cap,
        ),
      ),
    );
  }

  copy(source: Matrix, rows: number, columns: number, target: Matrix): void {
    this.forRows(rows, [source.stride, target.stride], (first, count) =>
      this.using((use) =>
        this.kernels.copyRows({
          source: use.matrix(from(source, first), count, columns),
          rows: count,
          columns,
          target: use.matrix(from(target, first), count, columns, 'write'),
        }),
      ),
    );
  }

  route({ logits, rows, experts, expertsPerRow, normalized, routes }: Routing): void {
    this.using((use) =>
      this.kernels.route({
        logits: use.matrix(logits, rows, experts),
        rows,
        experts,
        expertsPerRow,
        normalized,
        routes: use.view(routes, rows * expertsPerRow * 8, 'write'),
      }),
    );
  }

  /** target[i] = source[rows[i]]. */
  gather({ source, columns, rows, target }: PickedRows): void {
    const sourceRows = countReached(rows);
    this.using((use) =>
      this.kernels.gatherRows({
        source: use.matrix(source, sourceRows, columns),
        sourceRows,
        indices: use.words(Int32Array.from(rows)),
        rows: rows.length,
        columns,
        target: use.matrix(target, rows.length, columns, 'write'),
      }),
    );
  }

  /** target[rows[i]] += weights[i]·source[i]. */
  addScaled(picked: PickedRows & { readonly weights: readonly number[] }): void {
    const { source, columns, rows, weights, target } = picked;
    const targetRows = countReached(rows);
    this.using((use) =>
      this.kernels.scatterAddRows({
        targetRows,
        source: use.matrix(source, rows.length, columns),
        indices: use.words(Int32Array.from(rows)),
        weights: use.words(Float32Array.from(weights)),
        rows: rows.length,
        columns,
        target: use.matrix(target, targetRows, columns, 'write'),
      }),
    );
  }

  clearScores(sums: number, rows: number): void {
    this.using((use) => {
      this.kernels.clearScores(use.view(halfOf(sums), rows * SUM_BYTES, 'write'), rows);
    });
  }

  score({ logits, rows, columns, firstToken, targets, sums }: LogitTile): void {
    this.using((use) =>
      this.kernels.score({
        logits: use.matrix(logits, rows, columns),
        rows,
        columns,
        firstToken,
        targets: use.view(targets, rows * 4),
        sums: use.view(halfOf(sums), rows * SUM_BYTES, 'write'),
      }),
    );
  }

  diverge({ base, logits, rows, columns, baseSums, sums }: DivergenceTile): void {
    this.using((use) =>
      this.kernels.diverge({
        base: use.matrix(base, rows, columns),
        logits: use.matrix(logits, rows, columns),
        rows,
        columns,
        baseSums: use.view(halfOf(baseSums), rows * SUM_BYTES),
        sums: use.view(halfOf(sums), rows * SUM_BYTES, 'write'),
      }),
    );
  }

  /** Running sums as the host has them: [rows × SCORE.length]. */
  async readSums(at: number, rows: number): Promise<Float64Array> {
    const { buffer } = await this.read(halfOf(at), rows * SUM_BYTES);
    const sums = Float64Array.from(new Float32Array(buffer));
    const words = new Uint32Array(buffer);
    for (let row = 0; row < rows; row++) {
      const top = row * SCORE.length + SCORE.top;
      sums[top] = words[top];
    }
    return sums;
  }

  /** What lies at an address when all commands before are done. */
  read(at: number, bytes: number): Promise<Uint8Array<ArrayBuffer>> {
    return readBytes(this.memory, at, bytes);
  }

  private norm(
    { source, target, rows, columns, weight, epsilon }: Omit<RmsNorm, 'weightOffset'>,
    run: (
      task: {
        source: GpuMatrix;
        target: GpuMatrix;
        rows: number;
        columns: number;
        epsilon: number;
        weight: GpuView | undefined;
      },
      use: Uses,
    ) => void,
  ): void {
    this.forRows(rows, [source.stride, target.stride], (first, count) =>
      this.using((use) => {
        const place = use.matrix(from(target, first), count, columns, 'write');
        const isSame = source.at === target.at;
        run(
          {
            source: isSame ? place : use.matrix(from(source, first), count, columns),
            target: place,
            rows: count,
            columns,
            epsilon,
            weight: weight === 0 ? undefined : use.view(weight, columns * 4),
          },
          use,
        );
      }),
    );
  }

  private using(run: (use: Uses) => void): void {
    const uses = new Uses(this.memory);
    run(uses);
    uses.end();
  }

  /** Rows of matrices of these strides that fit in a buffer together. */
  private rowsAtOnce(...strides: readonly number[]): number {
    const widest = Math.max(1, ...strides);
    return Math.max(1, Math.floor(this.memory.gpu.limits.bufferBytes / 4 / widest));
  }

  private forRows(
    rows: number,
    strides: readonly number[],
    run: (first: number, count: number) => void,
  ): void {
    const most = this.rowsAtOnce(...strides);
    for (let first = 0; first < rows; first += most) run(first, Math.min(most, rows - first));
  }
}

/** What one command uses of the memory. */
class Uses {
  private readonly borrowed: Borrowed[] = [];
  private readonly uploads: GpuView[] = [];

  constructor(private readonly memory: GpuMemory) {}

  view(at: number, bytes: number, use: 'read' | 'write' = 'read'): GpuView {
    const borrowed = this.memory.borrow(at, bytes, use);
    this.borrowed.push(borrowed);
    return borrowed.view;
  }

  matrix(
    { at, stride }: Matrix,
    rows: number,
    columns: number,
    use: 'read' | 'write' = 'read',
  ): GpuMatrix {
    return { view: this.view(at, ((rows - 1) * stride + columns) * 4, use), stride };
  }

  /** Numbers that come with the command. */
  words(values: Int32Array | Float32Array): GpuView {
    const view = this.memory.gpu.acquire(values.byteLength);
    this.memory.gpu.write(view, new Uint8Array(values.buffer));
    this.uploads.push(view);
    return view;
  }

  end(): void {
    for (const borrowed of this.borrowed) borrowed.end();
    this.memory.gpu.release(...this.uploads);
  }
}

/** Rows of a matrix up to the last of some. */
function countReached(rows: readonly number[]): number {
  return rows.reduce((most, row) => Math.max(most, row), -1) + 1;
}

/** A matrix from one of its rows and columns on. */
function from({ at, stride }: Matrix, row: number, column = 0): Matrix {
  return { at: at + (row * stride + column) * 4, stride };
}

/** Where running sums lie, which take half the bytes that tasks count for them. */
function halfOf(at: number): number {
  const start = Math.floor(at / SLOT_BYTES) * SLOT_BYTES;
  return start + (at - start) / 2;
}
