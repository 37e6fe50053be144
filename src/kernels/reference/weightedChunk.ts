import { ruleProperties } from '../../formats/rules.js';
import type { GgmlTypeName, NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { ChunkShape, FixedRange } from '../types.js';
import { fitGroup } from './fitGroup.js';
import { dequantizeGgmlBlock, GGML_TYPES, quantizeGgmlBlock } from './ggml/index.js';
import { sumSquares } from './ggml/importance.js';
import { groupsOf } from './groups.js';

/** Weights, and how much an error of each counts. */
export interface WeightedChunk {
  readonly format: NumberFormat;
  readonly scaleDtype: ScaleDtype;
  readonly shape: ChunkShape;
  /** [rows × columns], finite; whole rows. */
  readonly weights: Float32Array;
  /** Mean square of the inputs that columns multiply: [columns], at least 0, finite. */
  readonly importance: Float32Array;
  /** Receives the dequantized weights; same length. */
  readonly output: Float32Array;
  /** Extremes of the whole tensor, where the format needs them. */
  readonly tensorRange?: FixedRange;
}

/**
 * Quantizes and dequantizes weights so that errors count by the mean squares of inputs: GGUF's blocks as ggml
 * does it with an importance matrix, other groups by the scale with the least Σ importance·(ŵ − w)² among the
 * candidates of a search. Where the importance of a whole group or block is 0, its weights count alike.
 */
export function quantizeWeighted(chunk: WeightedChunk): void {
  const { rule } = chunk.format.entry;
  if (rule.kind === 'ggml') quantizeBlocks(rule.type, chunk);
  else quantizeGroups(chunk);
}

function quantizeBlocks(
  name: GgmlTypeName,
  { shape: { rows, columns }, weights, importance, output }: WeightedChunk,
): void {
  const type = GGML_TYPES[name];
  const { blockSize } = type;
  const packed = new Uint8Array(type.blockBytes);
  const block = new Float32Array(blockSize);
  const values = new Float32Array(blockSize);
  const inputs = new Float32Array(blockSize);
  for (let row = 0; row < rows; row++) {
    const first = row * columns;
    const ofRow = sumSquares(weights.subarray(first, first + columns));
    const rowMeanSquare = Math.fround(ofRow / columns);
    for (let column = 0; column < columns; column += blockSize) {
      const end = Math.min(column + blockSize, columns);
      block.fill(0);
      block.set(weights.subarray(first + column, first + end));
      inputs.fill(0);
      inputs.set(importance.subarray(column, end));
      const counts = hasWeight(inputs) ? { inputs, rowMeanSquare } : undefined;
      quantizeGgmlBlock(type, block, packed, counts);
      dequantizeGgmlBlock(type, packed, values);
      output.set(values.subarray(0, end - column), first + column);
    }
  }
}

function quantizeGroups({
  format,
  scaleDtype,
  shape,
  weights,
  importance,
  output,
  tensorRange,
}: WeightedChunk): void {
  if (!ruleProperties(format.entry.rule).hasGroups) throw new Error(`${format.id} has no groups`);
  for (const { start, end } of groupsOf(format, shape)) {
    const group = weights.subarray(start, end);
    const counted = new Float32Array(group.length);
    for (let i = 0; i < counted.length; i++) counted[i] = importance[(start + i) % shape.columns];
    if (!hasWeight(counted)) counted.fill(1);
    const { quantizer } = fitGroup(format, scaleDtype, group, tensorRange, counted);
    for (let i = 0; i < group.length; i++) output[start + i] = quantizer.quantize(group[i]).value;
  }
}

function hasWeight(importance: Float32Array): boolean {
  return importance.some((value) => value > 0);
}
