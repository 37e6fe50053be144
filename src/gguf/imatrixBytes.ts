import { IMATRIX, type ImportanceMatrix } from './imatrix.js';

const VERSION = 3;
const ALIGNMENT = 32;
/** Numbers of types of values and tensors in files. */
const [UINT32, STRING, ARRAY] = [4, 8, 9];
const F32 = 0;

const encoder = new TextEncoder();

/** Parts of a file, one behind the other. */
class Parts {
  readonly list: Uint8Array[] = [];
  bytes = 0;

  add(part: Uint8Array): this {
    this.list.push(part);
    this.bytes += part.length;
    return this;
  }

  uint32(value: number): this {
    const part = new Uint8Array(4);
    new DataView(part.buffer).setUint32(0, value, true);
    return this.add(part);
  }

  uint64(value: number): this {
    const part = new Uint8Array(8);
    new DataView(part.buffer).setBigUint64(0, BigInt(value), true);
    return this.add(part);
  }

  text(value: string): this {
    const part = encoder.encode(value);
    return this.uint64(part.length).add(part);
  }

  align(): this {
    return this.add(new Uint8Array(-this.bytes & (ALIGNMENT - 1)));
  }
}

/**
 * An importance matrix as llama.cpp's `imatrix` writes it, GGUF of version 3, entries by name.
 * @returns the file's parts, in order
 */
export function encodeImatrix(matrix: ImportanceMatrix): readonly Uint8Array[] {
  const entries = [...matrix.entries].sort(([one], [other]) => (one < other ? -1 : 1));
  const tensors = entries.flatMap(([name, { inputs, matrices, sums, counts }]) => [
    { name: name + IMATRIX.sums, columns: inputs, rows: matrices, values: sums },
    { name: name + IMATRIX.counts, columns: 1, rows: matrices, values: counts },
  ]);
  const parts = new Parts().add(encoder.encode('GGUF')).uint32(VERSION);
  parts.uint64(tensors.length).uint64(4);
  parts.text(IMATRIX.type).uint32(STRING).text(IMATRIX.ofType);
  parts.text(IMATRIX.datasets).uint32(ARRAY).uint32(STRING).uint64(matrix.datasets.length);
  for (const dataset of matrix.datasets) parts.text(dataset);
  parts.text(IMATRIX.chunkCount).uint32(UINT32).uint32(matrix.chunkCount);
  parts.text(IMATRIX.chunkSize).uint32(UINT32).uint32(matrix.chunkSize);
  let offset = 0;
  for (const { name, columns, rows, values } of tensors) {
    parts.text(name).uint32(2).uint64(columns).uint64(rows).uint32(F32).uint64(offset);
    offset += Math.ceil(values.byteLength / ALIGNMENT) * ALIGNMENT;
  }
  parts.align();
  for (const { values } of tensors) {
    parts.add(new Uint8Array(values.buffer, values.byteOffset, values.byteLength)).align();
  }
  return parts.list;
}
