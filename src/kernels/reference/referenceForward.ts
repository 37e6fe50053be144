import {
  PANEL_ROWS,
  SCORE,
  countPackedWeightBytes,
  type DivergenceTile,
  type ForwardKernels,
  type GatedActivation,
  type HeadAttention,
  type LayerNorm,
  type LogitTile,
  type Matrix,
  type Product,
  type RmsNorm,
  type Rotation,
  type RowRounding,
} from '../forwardKernels.js';
import { attendRows } from './forward/attention.js';
import { activations } from './forward/functions.js';
import { roundRow } from './forward/rounding.js';
import { divergeRow, scoreRow } from './forward/score.js';

/** What the loops of a forward pass mean: plain loops that add in f64 and store f32. */
export class ReferenceForwardKernels implements ForwardKernels {
  constructor(private readonly memory: WebAssembly.Memory) {}

  packRows(source: Matrix, outputs: number, inputs: number, target: number): void {
    this.pack(outputs, inputs, target, (n, k) => n * source.stride + k + source.at / 4);
  }

  packColumns(source: Matrix, outputs: number, inputs: number, target: number): void {
    this.pack(outputs, inputs, target, (n, k) => k * source.stride + n + source.at / 4);
  }

  packedInputBytes(rows: number, inputs: number): number {
    return rows * inputs * 4;
  }

  packInputs(source: Matrix, rows: number, inputs: number, target: number): void {
    const floats = this.floats();
    for (let row = 0; row < rows; row++) {
      const from = source.at / 4 + row * source.stride;
      floats.copyWithin(target / 4 + row * inputs, from, from + inputs);
    }
  }

  multiply(product: Product): void {
    const { packedInputs, packedWeights, bias, output, rows, outputs, inputs } = product;
    const floats = this.floats();
    for (let m = 0; m < rows; m++) {
      const x = packedInputs / 4 + m * inputs;
      for (let n = 0; n < outputs; n++) {
        const panel = Math.floor(n / PANEL_ROWS) * inputs * PANEL_ROWS + (n % PANEL_ROWS);
        const w = packedWeights / 4 + panel;
        let sum = bias ? floats[bias / 4 + n] : 0;
        for (let k = 0; k < inputs; k++) sum += floats[x + k] * floats[w + k * PANEL_ROWS];
        const y = output.at / 4 + m * output.stride + n;
        floats[y] = product.accumulate ? floats[y] + sum : sum;
      }
    }
  }

  rmsNorm({ source, target, rows, columns, weight, weightOffset, epsilon }: RmsNorm): void {
    const weights = this.vector(weight, columns);
    for (let row = 0; row < rows; row++) {
      const x = this.row(source, row, columns);
      const meanSquare = x.reduce((sum, v) => sum + v * v, 0) / columns;
      const root = Math.sqrt(meanSquare + epsilon);
      const y = this.row(target, row, columns);
      x.forEach((v, i) => (y[i] = (v / root) * (weights[i] + weightOffset)));
    }
  }

  layerNorm({ source, target, rows, columns, weight, bias, epsilon }: LayerNorm): void {
    const weights = weight ? this.vector(weight, columns) : undefined;
    const biases = bias ? this.vector(bias, columns) : undefined;
    for (let row = 0; row < rows; row++) {
      const x = this.row(source, row, columns);
      const mean = x.reduce((sum, v) => sum + v, 0) / columns;
      const variance = x.reduce((sum, v) => sum + (v - mean) ** 2, 0) / columns;
      const root = Math.sqrt(variance + epsilon);
      const y = this.row(target, row, columns);
      x.forEach((v, i) => (y[i] = ((v - mean) / root) * (weights?.[i] ?? 1) + (biases?.[i] ?? 0)));
    }
  }

  rotate({ values, rows, heads, headStride, dims, cos, sin, interleaved }: Rotation): void {
    const floats = this.floats();
    const half = dims / 2;
    const [step, distance] = interleaved ? [2, 1] : [1, half];
    for (let row = 0; row < rows; row++) {
      for (let head = 0; head < heads; head++) {
        const at = values.at / 4 + row * values.stride + head * headStride;
        for (let i = 0; i < half; i++) {
          const first = at + i * step;
          const [x, y] = [floats[first], floats[first + distance]];
          const [c, s] = [floats[cos / 4 + row * half + i], floats[sin / 4 + row * half + i]];
          floats[first] = x * c - y * s;
          floats[first + distance] = y * c + x * s;
        }
      }
    }
  }

  attentionScratchBytes(): number {
    return 0;
  }

  attend(attention: HeadAttention): void {
    attendRows(this.floats(), attention);
  }

  activate({ activation, gate, up, rows, columns, target }: GatedActivation): void {
    const apply = activations[activation];
    for (let row = 0; row < rows; row++) {
      const x = this.row(gate, row, columns);
      const factors = up && this.row(up, row, columns);
      const y = this.row(target, row, columns);
      x.forEach((v, i) => (y[i] = apply(v) * (factors?.[i] ?? 1)));
    }
  }

  roundRows({ source, target, rows, columns, levels, scale, channelScales }: RowRounding): void {
    const scales = channelScales
      ? this.row({ at: channelScales, stride: columns }, 0, columns)
      : scale;
    for (let row = 0; row < rows; row++) {
      const values = this.row(source, row, columns);
      roundRow(values, levels, scales, this.row(target, row, columns));
    }
  }

  add(source: Matrix, rows: number, columns: number, target: Matrix): void {
    for (let row = 0; row < rows; row++) {
      const y = this.row(target, row, columns);
      this.row(source, row, columns).forEach((v, i) => (y[i] += v));
    }
  }

  softCap(values: Matrix, rows: number, columns: number, cap: number): void {
    for (let row = 0; row < rows; row++) {
      const x = this.row(values, row, columns);
      x.forEach((v, i) => (x[i] = cap * Math.tanh(v / cap)));
    }
  }

  score({ logits, rows, columns, firstToken, targets, sums }: LogitTile): void {
    const tokens = new Int32Array(this.memory.buffer, targets, rows);
    for (let row = 0; row < rows; row++) {
      scoreRow(this.row(logits, row, columns), firstToken, tokens[row], this.sums(sums, row));
    }
  }

  diverge({ base, logits, rows, columns, baseSums, sums }: DivergenceTile): void {
    for (let row = 0; row < rows; row++) {
      divergeRow(
        this.row(base, row, columns),
        this.row(logits, row, columns),
        this.sums(baseSums, row)[SCORE.max],
        this.sums(sums, row),
      );
    }
  }

  /** Panels of the matrix whose element [n, k] is the float at `index(n, k)`. */
  private pack(
    outputs: number,
    inputs: number,
    target: number,
    index: (n: number, k: number) => number,
  ): void {
    const floats = this.floats();
    const panels = this.vector(target, countPackedWeightBytes(outputs, inputs) / 4);
    panels.forEach((_, i) => {
      const n = Math.floor(i / PANEL_ROWS / inputs) * PANEL_ROWS + (i % PANEL_ROWS);
      const k = Math.floor(i / PANEL_ROWS) % inputs;
      panels[i] = n < outputs ? floats[index(n, k)] : 0;
    });
  }

  // A memory that has grown has another buffer, so views are made when they are needed.
  private floats(): Float32Array {
    return new Float32Array(this.memory.buffer);
  }

  private vector(at: number, length: number): Float32Array {
    return new Float32Array(this.memory.buffer, at, length);
  }

  private row(matrix: Matrix, row: number, columns: number): Float32Array {
    return this.vector(matrix.at + row * matrix.stride * 4, columns);
  }

  private sums(at: number, row: number): Float64Array {
    return new Float64Array(this.memory.buffer, at + row * SCORE.length * 8, SCORE.length);
  }
}
