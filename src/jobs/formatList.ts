import {
  formatForWidth,
  formatLabel,
  parseFormat,
  countStoredBits,
  type NumberFormat,
  type ScaleDtype,
} from '../formats/index.js';
import type { FormatReport } from '../reports/reports.js';

/** What tensors take in a format. */
interface StoredSize {
  readonly bits: number;
  readonly elements: number;
}

/** Formats by name, each once. */
export function parseFormats(names: readonly string[]): NumberFormat[] {
  const formats = new Map(names.map(parseFormat).map((format) => [format.id, format]));
  return [...formats.values()];
}

/**
 * Bits that tensors take in a format, or in what is stored in its place, and elements they have.
 * @param shapes outputs first, as `shapeAsMatrix` has them
 */
export function computeStoredSize(
  format: NumberFormat,
  shapes: readonly (readonly number[])[],
  scaleDtype: ScaleDtype,
): StoredSize {
  let bits = 0;
  let elements = 0;
  for (const shape of shapes) {
    bits += countStoredBits(formatForWidth(format, shape.at(-1)), shape, scaleDtype);
    elements += shape.reduce((product, size) => product * size, 1);
  }
  return { bits, elements };
}

/** A format as reports name it, by what the tensors in it take. */
export function identifyFormat(format: NumberFormat, { bits, elements }: StoredSize): FormatReport {
  const { id, entry } = format;
  return {
    id,
    label: formatLabel(format),
    bitsPerWeight: bits / elements,
    approximate: entry.reconstructed,
    reconstructed: entry.reconstructed,
    notes: entry.notes,
  };
}
