import { countStoredBytes } from '../storage/elementTypes.js';
import type { ByteReader } from '../storage/openSources.js';
import type { ChunkRef } from './tasks.js';

/** Fills a target with a chunk as it is stored; strips of transposed weights column by column. */
export async function readChunk(
  reader: ByteReader,
  { source, offset, dtype, rows, columns, storedStride }: ChunkRef,
  target: Uint8Array,
): Promise<void> {
  if (storedStride === undefined || storedStride === rows) {
    await reader.read(source, offset, target);
    return;
  }
  const run = countStoredBytes(dtype, rows);
  const stride = countStoredBytes(dtype, storedStride);
  for (let column = 0; column < columns; column++) {
    const piece = target.subarray(column * run, (column + 1) * run);
    await reader.read(source, offset + column * stride, piece);
  }
}
