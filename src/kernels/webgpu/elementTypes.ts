import type { ElementTypeName } from '../../storage/elementTypes.js';

const KINDS = {
  small: 0,
  unsigned: 1,
  signed: 2,
  upper: 3,
  asItIs: 4,
  boolean: 5,
  power: 6,
} as const;
/** What the highest codes of a small float mean; the last has its only NaN at −0. */
const STYLES = { ieee: 0, oneNan: 1, noNegativeZero: 2 } as const;

function small(
  exponentBits: number,
  fractionBits: number,
  bias: number,
  style: keyof typeof STYLES,
): number[] {
  const bits = 1 + exponentBits + fractionBits;
  return [KINDS.small, bits, exponentBits, fractionBits, bias, STYLES[style]];
}

/** How `decode.wgsl` takes element types; those of 64 bits, which it lacks, stay on the CPU. */
export const DECODED_TYPES: Partial<Record<ElementTypeName, readonly number[]>> = {
  BOOL: [KINDS.boolean, 8],
  U8: [KINDS.unsigned, 8],
  I8: [KINDS.signed, 8],
  U16: [KINDS.unsigned, 16],
  I16: [KINDS.signed, 16],
  U32: [KINDS.unsigned, 32],
  I32: [KINDS.signed, 32],
  F32: [KINDS.asItIs, 32],
  BF16: [KINDS.upper, 16],
  F16: small(5, 10, 15, 'ieee'),
  F8_E5M2: small(5, 2, 15, 'ieee'),
  F8_E4M3: small(4, 3, 7, 'oneNan'),
  F8_E4M3FNUZ: small(4, 3, 8, 'noNegativeZero'),
  F8_E5M2FNUZ: small(5, 2, 16, 'noNegativeZero'),
  F8_E8M0: [KINDS.power, 8],
};

/** Whether a device widens elements of a type. */
export function isDecodedOnGpu(dtype: ElementTypeName): boolean {
  return dtype in DECODED_TYPES;
}
