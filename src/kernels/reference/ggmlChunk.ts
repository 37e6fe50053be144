import type { GgmlTypeName } from '../../formats/types.js';
import { RAW, type ChunkShape } from '../types.js';
import {
  dequantizeGgmlBlock,
  GGML_TYPES,
  ggmlStepErrors,
  quantizeGgmlBlock,
} from './ggml/index.js';
import { addGroup } from './addGroup.js';

/**
 * Quantizes and dequantizes a chunk as a GGUF block format; the last block of a row is filled up
 * with zeros where the row is no multiple of the block.
 * @param weights [rows × columns], finite
 * @param output same length; may be left out
 * @returns raw sums, see `errorSums`
 */
export function quantizeGgmlChunk(
  name: GgmlTypeName,
  { rows, columns }: ChunkShape,
  weights: Float32Array,
  output?: Float32Array,
): Float64Array {
  const type = GGML_TYPES[name];
  const raw = new Float64Array(RAW.length);
  const block = new Float32Array(type.blockSize);
  const blockValues = new Float32Array(type.blockSize);
  const blockStepErrors = new Float32Array(type.blockSize);
  const values = output ?? new Float32Array(weights.length);
  const stepErrors = new Float32Array(weights.length);
  const packed = new Uint8Array(type.blockBytes);
  let clipped = 0;
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column += type.blockSize) {
      const start = row * columns + column;
      const count = Math.min(type.blockSize, columns - column);
      block.fill(0);
      block.set(weights.subarray(start, start + count));
      quantizeGgmlBlock(type, block, packed);
      dequantizeGgmlBlock(type, packed, blockValues);
      clipped += ggmlStepErrors(type, packed, block, blockStepErrors);
      values.set(blockValues.subarray(0, count), start);
      stepErrors.set(blockStepErrors.subarray(0, count), start);
    }
  }
  addGroup(raw, weights, values, stepErrors);
  // ggml's searches need not choose the nearest code, so an error above half a step says nothing.
  raw[RAW.clipped] = clipped;
  return raw;
}
