import type { Activation, AttentionShape, ForwardKernels, Matrix } from '../forwardKernels.js';
import { ACTIVATIONS, codeOf } from './configSchema.js';
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

  multiply(
    packedInputs: number,
    packedWeights: number,
    bias: number,
    output: Matrix,
    rows: number,
    outputs: number,
    inputs: number,
    add: boolean,
  ): void {
    const { at, stride } = output;
    this.exports.multiply(
      packedInputs,
      packedWeights,
      bias,
      at,
      stride,
      rows,
      outputs,
      inputs,
      add ? 1 : 0,
    );
  }

  rmsNorm(
    source: Matrix,
    rows: number,
    columns: number,
    weight: number,
    offset: number,
    epsilon: number,
    target: Matrix,
  ): void {
    const { at, stride } = source;
    this.exports.rmsNorm(
      at,
      stride,
      rows,
      columns,
      weight,
      offset,
      epsilon,
      target.at,
      target.stride,
    );
  }

  layerNorm(
    source: Matrix,
    rows: number,
    columns: number,
    weight: number,
    bias: number,
    epsilon: number,
    target: Matrix,
  ): void {
    const { at, stride } = source;
    this.exports.layerNorm(
      at,
      stride,
      rows,
      columns,
      weight,
      bias,
      epsilon,
      target.at,
      target.stride,
    );
  }

  rotate(
    values: Matrix,
    rows: number,
    heads: number,
    headStride: number,
    dims: number,
    cos: number,
    sin: number,
  ): void {
    this.exports.rotate(values.at, values.stride, rows, heads, headStride, dims, cos, sin);
  }

  attentionScratchBytes({ rows, headSize, window }: AttentionShape): number {
    return this.exports.attentionScratchBytes(rows, headSize, window);
  }

  attend(
    queries: Matrix,
    packedKeys: number,
    packedValues: number,
    shape: AttentionShape,
    output: Matrix,
    scratch: number,
  ): void {
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

  activate(
    activation: Activation,
    gate: Matrix,
    up: Matrix | undefined,
    rows: number,
    columns: number,
    target: Matrix,
  ): void {
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

  add(source: Matrix, rows: number, columns: number, target: Matrix): void {
    this.exports.add(source.at, source.stride, rows, columns, target.at, target.stride);
  }

  softCap(values: Matrix, rows: number, columns: number, cap: number): void {
    this.exports.softCap(values.at, values.stride, rows, columns, cap);
  }

  score(
    logits: Matrix,
    rows: number,
    columns: number,
    firstToken: number,
    targets: number,
    sums: number,
  ): void {
    this.exports.score(logits.at, logits.stride, rows, columns, firstToken, targets, sums);
  }

  diverge(
    base: Matrix,
    logits: Matrix,
    rows: number,
    columns: number,
    baseSums: number,
    sums: number,
  ): void {
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
