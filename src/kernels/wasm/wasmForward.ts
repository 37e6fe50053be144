import type {
  AttentionShape,
  DivergenceTile,
  ForwardKernels,
  GatedActivation,
  HeadAttention,
  LayerNorm,
  LogitTile,
  Matrix,
  Product,
  RmsNorm,
  Rotation,
  RowRounding,
} from '../forwardKernels.js';
import { ACTIVATIONS, codeOf, TIES } from './configSchema.js';
import type { ForwardExports } from './forwardModule.js';

export { FORWARD_MODULES, instantiateForward, loadForwardModule } from './forwardModule.js';

/** A forward pass's loops in WebAssembly with 128-bit vectors. */
export class WasmForwardKernels implements ForwardKernels {
  constructor(private readonly exports: ForwardExports) {}

  packRows(source: Matrix, outputs: number, inputs: number, target: number): void {
    this.exports.packRows(source.at, source.stride, outputs, inputs, target);
  }

  packColumns(source: Matrix, outputs: number, inputs: number, target: number): void {
    this.exports.packColumns(source.at, source.stride, outputs, inputs, target);
  }

  packedInputBytes(rows: number, inputs: number): number {
    const tile = this.exports.inputTile();
    return Math.ceil(rows / tile) * tile * inputs * 4;
  }

  packInputs(source: Matrix, rows: number, inputs: number, target: number): void {
    this.exports.packInputs(source.at, source.stride, rows, inputs, target);
  }

  multiply(product: Product): void {
    const { packedInputs, packedWeights, bias, output, rows, outputs, inputs } = product;
    this.exports.multiply(
      packedInputs,
      packedWeights,
      bias,
      output.at,
      output.stride,
      rows,
      outputs,
      inputs,
      product.accumulate ? 1 : 0,
    );
  }

  rmsNorm({ source, target, rows, columns, weight, weightOffset, epsilon }: RmsNorm): void {
    this.exports.rmsNorm(
      source.at,
      source.stride,
      rows,
      columns,
      weight,
      weightOffset,
      epsilon,
      target.at,
      target.stride,
    );
  }

  layerNorm({ source, target, rows, columns, weight, bias, epsilon }: LayerNorm): void {
    this.exports.layerNorm(
      source.at,
      source.stride,
      rows,
      columns,
      weight,
      bias,
      epsilon,
      target.at,
      target.stride,
    );
  }

  rotate({ values, rows, heads, headStride, dims, cos, sin, interleaved }: Rotation): void {
    this.exports.rotate(
      values.at,
      values.stride,
      rows,
      heads,
      headStride,
      dims,
      cos,
      sin,
      interleaved ? 1 : 0,
    );
  }

  attentionScratchBytes({ rows, headSize, window }: AttentionShape): number {
    return this.exports.attentionScratchBytes(rows, headSize, window);
  }

  attend({ shape, queries, packedKeys, packedValues, output, scratch }: HeadAttention): void {
    this.exports.attend(
      queries.at,
      queries.stride,
      packedKeys,
      packedValues,
      shape.rows,
      shape.headSize,
      shape.scale,
      shape.window,
      shape.softCap,
      output.at,
      output.stride,
      scratch,
    );
  }

  activate({ activation, gate, up, rows, columns, target }: GatedActivation): void {
    this.exports.activate(
      codeOf(ACTIVATIONS, activation),
      gate.at,
      gate.stride,
      up?.at ?? 0,
      up?.stride ?? 0,
      rows,
      columns,
      target.at,
      target.stride,
    );
  }

  roundRows(rounding: RowRounding): void {
    const { source, target, rows, columns, levels, scale, channelScales = 0 } = rounding;
    this.exports.roundRows(
      source.at,
      source.stride,
      rows,
      columns,
      levels.fractionBits,
      levels.minExponent,
      levels.largest,
      codeOf(TIES, levels.ties),
      scale ?? -1,
      channelScales,
      target.at,
      target.stride,
    );
  }

  add(source: Matrix, rows: number, columns: number, target: Matrix): void {
    this.exports.add(source.at, source.stride, rows, columns, target.at, target.stride);
  }

  softCap(values: Matrix, rows: number, columns: number, cap: number): void {
    this.exports.softCap(values.at, values.stride, rows, columns, cap);
  }

  score({ logits, rows, columns, firstToken, targets, sums }: LogitTile): void {
    this.exports.score(logits.at, logits.stride, rows, columns, firstToken, targets, sums);
  }

  diverge({ base, logits, rows, columns, baseSums, sums }: DivergenceTile): void {
    this.exports.diverge(
      base.at,
      base.stride,
      logits.at,
      logits.stride,
      rows,
      columns,
      baseSums,
      sums,
    );
  }
}
