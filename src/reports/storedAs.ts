import type { PartOfWeight } from '../checkpoint/types.js';
import type { TensorReport } from './reports.js';

/**
 * How a tensor's values are stored, for lists: its element type, "GPTQ 4-bit g128", or "I32 of EXL2, not decoded" where it
 * is a part of a weight that cannot be decoded.
 */
export function nameStorage({
  dtype,
  storage,
  partOf,
}: Pick<TensorReport, 'dtype' | 'storage' | 'partOf'>): string {
  return partOf ? `${dtype} of ${nameUndecoded(partOf)}` : (storage?.label ?? dtype);
}

/** "EXL2, not decoded": how a weight is stored that cannot be decoded. */
export function nameUndecoded({ label }: Pick<PartOfWeight, 'label'>): string {
  return `${label}, not decoded`;
}

/** Weights that a tensor holds: none where it is a part of one that cannot be decoded. */
export function countWeights({
  partOf,
  elements,
}: Pick<TensorReport, 'partOf' | 'elements'>): number {
  return partOf ? 0 : elements;
}
