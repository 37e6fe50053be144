import { activationLabel } from '../formats/activations.js';
import {
  formatForWidth,
  formatLabel,
  parseFormat,
  countStoredBits,
  type NumberFormat,
  type ScaleDtype,
} from '../formats/index.js';
import { countSchemeBits } from '../methods/storage.js';
import {
  methodsLabel,
  parseScheme,
  schemeLabel,
  type QuantizationScheme,
} from '../methods/schemes.js';
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

/** Schemes by name, each once. */
export function parseSchemes(names: readonly string[]): QuantizationScheme[] {
  const schemes = new Map(names.map(parseScheme).map((scheme) => [scheme.id, scheme]));
  return [...schemes.values()];
}

/** A scheme as reports name it, by what the tensors in it take. */
export function identifyScheme(
  scheme: QuantizationScheme,
  shapes: readonly (readonly number[])[],
  scaleDtype: ScaleDtype,
): FormatReport {
  const { format, methods, activations } = scheme;
  let [bits, elements] = [0, 0];
  for (const shape of shapes) {
    bits += countSchemeBits(scheme, shape, scaleDtype);
    elements += shape.reduce((product, size) => product * size, 1);
  }
  const identity = identifyFormat(format, { bits, elements });
  const reconstructed =
    identity.reconstructed || methods.some(({ method }) => method.reconstructed);
  return {
    ...identity,
    id: scheme.id,
    label: schemeLabel(scheme),
    ...((methods.length > 0 || activations) && { numberFormat: formatLabel(format) }),
    ...(methods.length > 0 && { method: methodsLabel(scheme) }),
    ...(activations && { activations: activationLabel(activations) }),
    approximate: reconstructed,
    reconstructed,
    notes: [
      ...identity.notes,
      ...methods.flatMap(({ method }) => method.notes),
      ...(activations?.entry.notes ?? []),
    ],
  };
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
