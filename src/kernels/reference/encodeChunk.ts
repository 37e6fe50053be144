import type { GgmlTypeName, NumberFormat, ScaleDtype } from '../../formats/types.js';
import type { ChunkShape, EncodedChunk, FixedRange } from '../types.js';
import { fitGroup } from './fitGroup.js';
import { GGML_TYPES, quantizeGgmlBlock } from './ggml/index.js';
import { groupsOf } from './groups.js';

/** Codes of a cast are the bits of its type; all others fit a byte. */
function emptyCodes({ entry: { rule } }: NumberFormat, weights: number): EncodedChunk['codes'] {
  if (rule.kind !== 'cast') return new Uint8Array(weights);
  return rule.dtype === 'f32' ? new Uint32Array(weights) : new Uint16Array(weights);
}

/** The packed blocks of a chunk; the last block of a row is filled up with zero weights. */
function packBlocks(
  name: GgmlTypeName,
  { rows, columns }: ChunkShape,
  weights: Float32Array,
): Uint8Array {
  const type = GGML_TYPES[name];
  const perRow = Math.ceil(columns / type.blockSize);
  const packed = new Uint8Array(rows * perRow * type.blockBytes);
  for (let block = 0; block < rows * perRow; block++) {
    const row = Math.floor(block / perRow);
    const column = (block % perRow) * type.blockSize;
    const end = Math.min(column + type.blockSize, columns);
    const filled = new Float32Array(type.blockSize);
    filled.set(weights.subarray(row * columns + column, row * columns + end));
    const at = block * type.blockBytes;
    quantizeGgmlBlock(type, filled, packed.subarray(at, at + type.blockBytes));
  }
  return packed;
}

/** Values of groups, or nothing where the format has none. */
function optional(values: number[]): Float32Array | undefined {
  return values.length > 0 ? Float32Array.from(values) : undefined;
}

/**
 * Quantizes a chunk of finite weights to what a file holds: the meaning of `Kernels.encode`.
 * @param weights [rows × columns], finite
 * @throws where a two-level scale lacks the range of the tensor
 */
export function encodeChunk(
  format: NumberFormat,
  scaleDtype: ScaleDtype,
  shape: ChunkShape,
  weights: Float32Array,
  tensorRange?: FixedRange,
): EncodedChunk {
  const { rule } = format.entry;
  if (rule.kind === 'ggml') {
    return {
      codes: new Uint8Array(0),
      scales: new Float32Array(0),
      packedBlocks: packBlocks(rule.type, shape, weights),
    };
  }
  const codes = emptyCodes(format, weights.length);
  const scales: number[] = [];
  const negativeScales: number[] = [];
  const zeroPoints: number[] = [];
  const grids: number[] = [];
  let tensorScale: number | undefined;
  for (const { start, end } of groupsOf(format, shape)) {
    const group = weights.subarray(start, end);
    const { quantizer } = fitGroup(format, scaleDtype, group, tensorRange);
    for (let i = start; i < end; i++) codes[i] = quantizer.code(weights[i]);
    const [scale, negativeScale] = quantizer.scales;
    if (scale) scales.push(scale.value);
    if (negativeScale) negativeScales.push(negativeScale.value);
    if (quantizer.zeroPoint !== undefined) zeroPoints.push(quantizer.zeroPoint);
    if (quantizer.grid !== undefined) grids.push(quantizer.grid);
    tensorScale = quantizer.tensorScale;
  }
  return {
    codes,
    scales: Float32Array.from(scales),
    negativeScales: optional(negativeScales),
    zeroPoints: optional(zeroPoints),
    tensorScale,
    grids: grids.length > 0 ? Uint8Array.from(grids) : undefined,
  };
}
