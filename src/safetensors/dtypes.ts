import type { SafetensorsDtype } from './types.js';

/** What is fixed about an element type. */
export interface DtypeInfo {
  /** Storage of one element, in bits. */
  readonly bits: number;
  readonly kind: 'boolean' | 'unsigned' | 'signed' | 'float' | 'scale' | 'complex';
  /** What the name stands for. */
  readonly description: string;
}

/**
 * Every element type of the format, in the reference's order: by alignment ascending. The writer
 * lays tensors out in the opposite order, so the order is part of the format's look.
 */
export const DTYPES: Readonly<Record<SafetensorsDtype, DtypeInfo>> = freezeAll({
  BOOL: { bits: 8, kind: 'boolean', description: 'boolean, one byte' },
  F4: { bits: 4, kind: 'float', description: '4-bit float E2M1 (MX)' },
  F6_E2M3: { bits: 6, kind: 'float', description: '6-bit float E2M3 (MX)' },
  F6_E3M2: { bits: 6, kind: 'float', description: '6-bit float E3M2 (MX)' },
  U8: { bits: 8, kind: 'unsigned', description: 'unsigned 8-bit integer' },
  I8: { bits: 8, kind: 'signed', description: 'signed 8-bit integer' },
  F8_E5M2: { bits: 8, kind: 'float', description: '8-bit float E5M2 (OCP)' },
  F8_E4M3: { bits: 8, kind: 'float', description: '8-bit float E4M3 (OCP, finite)' },
  F8_E8M0: { bits: 8, kind: 'scale', description: 'power-of-two scale E8M0 (MX)' },
  F8_E4M3FNUZ: { bits: 8, kind: 'float', description: '8-bit float E4M3 without negative zero' },
  F8_E5M2FNUZ: { bits: 8, kind: 'float', description: '8-bit float E5M2 without negative zero' },
  I16: { bits: 16, kind: 'signed', description: 'signed 16-bit integer' },
  U16: { bits: 16, kind: 'unsigned', description: 'unsigned 16-bit integer' },
  F16: { bits: 16, kind: 'float', description: 'half-precision float' },
  BF16: { bits: 16, kind: 'float', description: 'bfloat16' },
  I32: { bits: 32, kind: 'signed', description: 'signed 32-bit integer' },
  U32: { bits: 32, kind: 'unsigned', description: 'unsigned 32-bit integer' },
  F32: { bits: 32, kind: 'float', description: 'single-precision float' },
  C64: { bits: 64, kind: 'complex', description: 'complex number of two single-precision floats' },
  F64: { bits: 64, kind: 'float', description: 'double-precision float' },
  I64: { bits: 64, kind: 'signed', description: 'signed 64-bit integer' },
  U64: { bits: 64, kind: 'unsigned', description: 'unsigned 64-bit integer' },
});

/** Names of the element types, by alignment ascending. */
export const DTYPE_NAMES = Object.freeze(Object.keys(DTYPES)) as readonly SafetensorsDtype[];

/** True when `name` is an element type of the format, spelled exactly. */
export function isDtype(name: string): name is SafetensorsDtype {
  return Object.hasOwn(DTYPES, name);
}

function freezeAll<Table extends object>(table: Table): Readonly<Table> {
  for (const entry of Object.values(table)) Object.freeze(entry);
  return Object.freeze(table);
}
