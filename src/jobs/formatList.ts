import {
  parseFormat,
  countStoredBits,
  type NumberFormat,
  type ScaleDtype,
} from '../formats/index.js';

/** Formats by name, each once. */
export function parseFormats(names: readonly string[]): NumberFormat[] {
  const formats = new Map(names.map(parseFormat).map((format) => [format.id, format]));
  return [...formats.values()];
}

/**
 * Bits that tensors take in a format, and elements they have.
 * @param shapes outputs first, as `shapeAsMatrix` has them
 */
export function computeStoredSize(
  format: NumberFormat,
  shapes: readonly (readonly number[])[],
  scaleDtype: ScaleDtype,
): { readonly bits: number; readonly elements: number } {
  let bits = 0;
  let elements = 0;
  for (const shape of shapes) {
    bits += countStoredBits(format, shape, scaleDtype);
    elements += shape.reduce((product, size) => product * size, 1);
  }
  return { bits, elements };
}
