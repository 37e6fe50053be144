import { parseFormat, storedBits, type NumberFormat, type ScaleDtype } from '../formats/index.js';
import type { CheckpointTensor } from '../safetensors/types.js';

/** Formats by name, each once. */
export function parseFormats(names: readonly string[]): NumberFormat[] {
  const formats = new Map(names.map(parseFormat).map((format) => [format.id, format]));
  return [...formats.values()];
}

/** A tensor's shape as a quantizer sees it: outputs first, whatever way round it is stored. */
export function matrixShapeOf(
  { name, shape }: CheckpointTensor,
  transposed: ReadonlySet<string>,
): readonly number[] {
  return transposed.has(name) ? shape.toReversed() : shape;
}

/**
 * Bits that tensors take in a format, and elements they have.
 * @param shapes outputs first, see {@link matrixShapeOf}
 */
export function storedSize(
  format: NumberFormat,
  shapes: readonly (readonly number[])[],
  scaleDtype: ScaleDtype,
): { readonly bits: number; readonly elements: number } {
  let bits = 0;
  let elements = 0;
  for (const shape of shapes) {
    bits += storedBits(format, shape, scaleDtype);
    elements += shape.reduce((product, size) => product * size, 1);
  }
  return { bits, elements };
}
