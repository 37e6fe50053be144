import type { ElementTypeName } from '../storage/elementTypes.js';

/**
 * The element types of the format, in the reference's order: by alignment ascending. The writer lays
 * tensors out in the opposite order, so the order is part of the format's look.
 */
export const SAFETENSORS_DTYPES: readonly ElementTypeName[] = Object.freeze([
  'BOOL',
  'F4',
  'F6_E2M3',
  'F6_E3M2',
  'U8',
  'I8',
  'F8_E5M2',
  'F8_E4M3',
  'F8_E8M0',
  'F8_E4M3FNUZ',
  'F8_E5M2FNUZ',
  'I16',
  'U16',
  'F16',
  'BF16',
  'I32',
  'U32',
  'F32',
  'C64',
  'F64',
  'I64',
  'U64',
]);

const names: ReadonlySet<string> = new Set(SAFETENSORS_DTYPES);

/** True when `name` is an element type of the format, spelled exactly. */
export function isSafetensorsDtype(name: string): name is ElementTypeName {
  return names.has(name);
}
