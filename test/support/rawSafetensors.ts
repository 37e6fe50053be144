import { readFileSync } from 'node:fs';

export interface RawTensor {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly bytes: Uint8Array;
}

/** Reads a trusted fixture without the product's reader, so that tests of one do not lean on the other. */
export function readRawSafetensors(path: string | URL): Map<string, RawTensor> {
  const file = readFileSync(path);
  const headerLength = Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.subarray(8, 8 + headerLength).toString('utf8')) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  const tensors = new Map<string, RawTensor>();
  for (const [name, entry] of Object.entries(header)) {
    if (name === '__metadata__') continue;
    const [begin, end] = entry.data_offsets;
    // Copied, so that views of any element type are aligned.
    const bytes = Uint8Array.from(file.subarray(8 + headerLength + begin, 8 + headerLength + end));
    tensors.set(name, { dtype: entry.dtype, shape: entry.shape, bytes });
  }
  return tensors;
}

/** An F32 tensor's values. */
export function floatsOf(tensor: RawTensor): Float32Array {
  if (tensor.dtype !== 'F32') throw new Error(`Expected F32, got ${tensor.dtype}`);
  return new Float32Array(tensor.bytes.buffer);
}

/** A safetensors file from its header's text (or bytes) and its data (or the number of zero bytes). */
export function rawFile(header: string | Uint8Array, data: Uint8Array | number = 0): Uint8Array {
  const text = Buffer.from(header);
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(text.length));
  return Buffer.concat([length, text, typeof data === 'number' ? Buffer.alloc(data) : data]);
}
