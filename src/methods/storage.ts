import { countGroups, countStoredBits, formatForWidth, type ScaleDtype } from '../formats/index.js';
import type { QuantizationScheme } from './schemes.js';

/**
 * Bits that a tensor takes in a scheme, or in what is stored in the place of its format.
 * @param shape [… × outputs × inputs]
 */
export function countSchemeBits(
  { format, methods }: QuantizationScheme,
  shape: readonly number[],
  scaleDtype: ScaleDtype,
): number {
  const own = methods.find(({ method }) => method.storedBits);
  if (own) return own.method.storedBits!(shape, own.options);
  const stored = formatForWidth(format, shape.at(-1));
  const groups = countGroups(stored, shape);
  return methods.reduce(
    (bits, { method, options }) =>
      bits +
      groups * (method.extraBitsPerGroup?.(stored, scaleDtype) ?? 0) +
      (method.extraBits?.(shape, options) ?? 0),
    countStoredBits(stored, shape, scaleDtype),
  );
}
