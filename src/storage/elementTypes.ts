/** How the elements of a tensor may be stored. Containers take those of them that their format has. */
export type ElementTypeName =
  | 'BOOL'
  | 'F4'
  | 'F6_E2M3'
  | 'F6_E3M2'
  | 'U8'
  | 'I8'
  | 'F8_E5M2'
  | 'F8_E4M3'
  | 'F8_E8M0'
  | 'F8_E4M3FNUZ'
  | 'F8_E5M2FNUZ'
  | 'I16'
  | 'U16'
  | 'F16'
  | 'BF16'
  | 'I32'
  | 'U32'
  | 'F32'
  | 'C64'
  | 'F64'
  | 'I64'
  | 'U64';

/** What is fixed about an element type. Storage is described by blocks: a byte may hold two elements. */
export interface ElementType {
  /** Elements that are stored together and cannot be told apart by bytes; 1 for plain types. */
  readonly elementsPerBlock: number;
  readonly bytesPerBlock: number;
  readonly kind: 'boolean' | 'unsigned' | 'signed' | 'float' | 'scale' | 'complex';
  /** What the name stands for. */
  readonly description: string;
}

function plain(bytes: number, kind: ElementType['kind'], description: string): ElementType {
  return blocks(1, bytes, kind, description);
}

function blocks(
  elementsPerBlock: number,
  bytesPerBlock: number,
  kind: ElementType['kind'],
  description: string,
): ElementType {
  return Object.freeze({ elementsPerBlock, bytesPerBlock, kind, description });
}

/** Every element type that a checkpoint may name. */
export const ELEMENT_TYPES: Readonly<Record<ElementTypeName, ElementType>> = Object.freeze({
  BOOL: plain(1, 'boolean', 'boolean, one byte'),
  F4: blocks(2, 1, 'float', '4-bit float E2M1 (MX)'),
  F6_E2M3: blocks(4, 3, 'float', '6-bit float E2M3 (MX)'),
  F6_E3M2: blocks(4, 3, 'float', '6-bit float E3M2 (MX)'),
  U8: plain(1, 'unsigned', 'unsigned 8-bit integer'),
  I8: plain(1, 'signed', 'signed 8-bit integer'),
  F8_E5M2: plain(1, 'float', '8-bit float E5M2 (OCP)'),
  F8_E4M3: plain(1, 'float', '8-bit float E4M3 (OCP, finite)'),
  F8_E8M0: plain(1, 'scale', 'power-of-two scale E8M0 (MX)'),
  F8_E4M3FNUZ: plain(1, 'float', '8-bit float E4M3 without negative zero'),
  F8_E5M2FNUZ: plain(1, 'float', '8-bit float E5M2 without negative zero'),
  I16: plain(2, 'signed', 'signed 16-bit integer'),
  U16: plain(2, 'unsigned', 'unsigned 16-bit integer'),
  F16: plain(2, 'float', 'half-precision float'),
  BF16: plain(2, 'float', 'bfloat16'),
  I32: plain(4, 'signed', 'signed 32-bit integer'),
  U32: plain(4, 'unsigned', 'unsigned 32-bit integer'),
  F32: plain(4, 'float', 'single-precision float'),
  C64: plain(8, 'complex', 'complex number of two single-precision floats'),
  F64: plain(8, 'float', 'double-precision float'),
  I64: plain(8, 'signed', 'signed 64-bit integer'),
  U64: plain(8, 'unsigned', 'unsigned 64-bit integer'),
});

/** Average storage of one element in bits. */
export function countBitsPerElement(type: ElementTypeName): number {
  const { elementsPerBlock, bytesPerBlock } = ELEMENT_TYPES[type];
  return (8 * bytesPerBlock) / elementsPerBlock;
}

/**
 * Bytes that a run of elements takes.
 * @throws RangeError where the run does not end with a block, so that no bytes are its own
 */
export function countStoredBytes(type: ElementTypeName, elements: number): number {
  const { elementsPerBlock, bytesPerBlock } = ELEMENT_TYPES[type];
  const blockCount = elements / elementsPerBlock;
  if (!Number.isInteger(blockCount)) {
    throw new RangeError(`${elements} elements of type ${type} do not fill blocks`);
  }
  return blockCount * bytesPerBlock;
}

/** True for element types whose elements are real numbers that can be addressed one by one. */
export function hasPlainNumbers(type: ElementTypeName): boolean {
  const { elementsPerBlock, kind } = ELEMENT_TYPES[type];
  return elementsPerBlock === 1 && kind !== 'complex';
}
