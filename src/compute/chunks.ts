import { DTYPES } from '../safetensors/dtypes.js';
import type { CheckpointTensor } from '../safetensors/types.js';
import type { ChunkRef, SourceRef } from '../protocol/worker.js';

/** Elements of an ordinary chunk: 1 MB of F32, which keeps a worker's data in its cache. */
export const CHUNK_ELEMENTS = 262144;
/** Chunks of long rows may grow to this; beyond it a row must be split. */
export const MAX_CHUNK_ELEMENTS = 1 << 25;

/** Where chunks of a tensor may be cut: between rows, or also within rows at multiples of a number. */
export type ChunkBoundary = 'row' | number;

/** Rows and columns of a tensor: the last dimension is the input, all others are rows. */
export function matrixShape(tensor: Pick<CheckpointTensor, 'shape' | 'elements'>) {
  const columns = tensor.shape.length === 0 ? 1 : tensor.shape[tensor.shape.length - 1];
  return { rows: columns === 0 ? 0 : tensor.elements / columns, columns };
}

/**
 * Cuts a tensor into chunks, in order; together they cover it once.
 * @throws when a row that must stay whole is longer than {@link MAX_CHUNK_ELEMENTS}
 */
export function* planChunks(
  tensor: CheckpointTensor,
  source: SourceRef,
  boundary: ChunkBoundary = 'row',
  chunkElements = CHUNK_ELEMENTS,
): Generator<ChunkRef> {
  if (tensor.elements === 0) return;
  const { rows, columns } = matrixShape(tensor);
  const bytesPerElement = DTYPES[tensor.dtype].bits / 8;
  const chunk = (firstElement: number, chunkRows: number, chunkColumns: number): ChunkRef => ({
    source,
    offset: tensor.offset + firstElement * bytesPerElement,
    dtype: tensor.dtype,
    rows: chunkRows,
    columns: chunkColumns,
  });

  if (boundary !== 'row' && columns > chunkElements) {
    const piece = Math.max(1, Math.floor(chunkElements / boundary)) * boundary;
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column += piece) {
        yield chunk(row * columns + column, 1, Math.min(piece, columns - column));
      }
    }
    return;
  }
  if (columns > MAX_CHUNK_ELEMENTS) {
    throw new Error(
      `${tensor.file}: rows of "${tensor.name}" have ${columns} weights; one group per row handles at most ${MAX_CHUNK_ELEMENTS}`,
    );
  }
  const rowsPerChunk = Math.max(1, Math.floor(chunkElements / columns));
  for (let row = 0; row < rows; row += rowsPerChunk) {
    yield chunk(row * columns, Math.min(rowsPerChunk, rows - row), columns);
  }
}
