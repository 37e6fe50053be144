import type { ByteSource } from '../storage/byteSource.js';
import type { Container, FileHeader } from '../storage/container.js';
import { runInSlices, type SliceOptions } from '../storage/slices.js';
import { readHeaderLength, LENGTH_FIELD_BYTES, parseHeader } from './header.js';
import { parseShardIndex } from './shardIndex.js';

/** Most headers fit, so that one read is enough; on remote disks each read is a round trip. */
const FIRST_READ_BYTES = 64 * 1024;

/** safetensors as a container. */
export const safetensors: Container = {
  fileSuffix: '.safetensors',
  indexSuffix: '.safetensors.index.json',
  readHeader,
  readIndex: parseShardIndex,
};

async function readHeader(
  source: ByteSource,
  fileName: string,
  options?: SliceOptions,
): Promise<FileHeader> {
  options?.signal?.throwIfAborted();
  const start = new Uint8Array(Math.min(source.size, FIRST_READ_BYTES));
  await source.read(0, start);
  const needed = LENGTH_FIELD_BYTES + readHeaderLength(start, source.size, fileName);
  if (needed <= start.length)
    return runInSlices(parseHeader(start, source.size, fileName), options);
  const whole = new Uint8Array(needed);
  whole.set(start);
  await source.read(start.length, whole.subarray(start.length));
  return runInSlices(parseHeader(whole, source.size, fileName), options);
}
