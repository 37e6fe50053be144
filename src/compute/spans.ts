import type { Kernels } from '../kernels/types.js';
import { countRegionBytes, type MemoryRegion } from '../kernels/workspace.js';
import { countStoredBytes } from '../storage/elementTypes.js';
import type { ChunkLoader } from './chunkLoader.js';
import type { SpanTask } from './tasks.js';

/** Weights that a worker has in memory at once: 1 MB of a 16-bit type. */
const PIECE_ELEMENTS = 524288;
/** Tables of 65,536 counts in a worker's region; the second pass needs one for each quantile. */
export const SPAN_TABLES = 12;
const TABLE_BYTES = 65536 * 4;
const SLOT_BYTES = 65536;

/** Bytes of a worker's region for a task over a span: counts, a number for each upper half, a piece. */
export const SPAN_SCRATCH_BYTES =
  SPAN_TABLES * TABLE_BYTES + SLOT_BYTES + countRegionBytes(PIECE_ELEMENTS);

/** A run of a span's elements. */
export interface Piece {
  /** Elements of the span before it. */
  readonly first: number;
  readonly rows: number;
  readonly columns: number;
  /** Its last group goes on in the next piece. */
  readonly continues: boolean;
}

/**
 * Cuts a span of rows × columns between groups where they are short enough, in order.
 * @param groupSize columns per group; absent: cut anywhere
 */
export function* cutIntoPieces(
  { rows, columns }: { readonly rows: number; readonly columns: number },
  groupSize?: number,
  pieceElements = PIECE_ELEMENTS,
): Generator<Piece> {
  if (groupSize === undefined) {
    const elements = rows * columns;
    for (let first = 0; first < elements; first += pieceElements) {
      const count = Math.min(pieceElements, elements - first);
      yield { first, rows: 1, columns: count, continues: false };
    }
  } else if (columns <= pieceElements) {
    const step = Math.floor(pieceElements / columns);
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      yield { first: row * columns, rows: count, columns, continues: false };
    }
  } else {
    for (let row = 0; row < rows; row++) {
      yield* cutRowIntoPieces(row * columns, columns, groupSize, pieceElements);
    }
  }
}

function* cutRowIntoPieces(
  first: number,
  columns: number,
  groupSize: number,
  pieceElements: number,
): Generator<Piece> {
  // Whole groups, or parts of one.
  const run = groupSize <= pieceElements ? columns : groupSize;
  const step = Math.min(run, Math.floor(pieceElements / groupSize) * groupSize || pieceElements);
  for (let start = 0; start < columns; start += run) {
    const end = Math.min(start + run, columns);
    for (let column = start; column < end; column += step) {
      const count = Math.min(step, end - column);
      const continues = groupSize > pieceElements && column + count < end;
      yield { first: first + column, rows: 1, columns: count, continues };
    }
  }
}

/** A worker's region, divided for a task over a span. */
export interface SpanMemory {
  readonly kernels: Kernels;
  /** Tables of 65,536 counts. */
  tables(count: number): Uint32Array;
  /** By upper half of an f32's bits. */
  readonly slots: Uint8Array;
  /** Reads a piece as stored. */
  read(piece: Piece): Promise<Uint8Array>;
}

export function divideSpanRegion(loader: ChunkLoader, { chunk, region }: SpanTask): SpanMemory {
  const reserved = SPAN_TABLES * TABLE_BYTES + SLOT_BYTES;
  const rest: MemoryRegion = { start: region.start + reserved, bytes: region.bytes - reserved };
  const kernels = loader.kernelsIn(rest);
  const { buffer } = loader.memory;
  return {
    kernels,
    tables: (count) => new Uint32Array(buffer, region.start, count * 65536),
    slots: new Uint8Array(buffer, region.start + SPAN_TABLES * TABLE_BYTES, SLOT_BYTES),
    async read({ first, rows, columns }) {
      const target = kernels.input(chunk.dtype, rows * columns);
      await loader.sources.read(
        chunk.source,
        chunk.offset + countStoredBytes(chunk.dtype, first),
        target,
      );
      return target;
    },
  };
}
