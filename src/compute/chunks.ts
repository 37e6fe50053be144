import { getMatrixShape, shapeAsMatrix } from '../checkpoint/matrixShape.js';
import type { ModelTensor } from '../checkpoint/types.js';
import { countStoredBytes } from '../storage/elementTypes.js';
import type { ChunkRef } from './tasks.js';

/** Elements of an ordinary chunk: 1 MB of a 16-bit type, so that messages cost little beside work. */
export const CHUNK_ELEMENTS = 524288;
/** Chunks of long rows may grow to this; beyond it a row must be split. */
const MAX_CHUNK_ELEMENTS = 1 << 25;

/** Where chunks of a tensor may be cut. */
export interface ChunkBoundary {
  /** Between rows only, or also within rows at multiples of a number of columns. */
  readonly columns: 'row' | number;
  /** Chunks start at multiples of this many elements of the flattened tensor. */
  readonly blocks: number;
}

/** For work that has no groups. */
export const ANYWHERE: ChunkBoundary = Object.freeze({ columns: 1, blocks: 1 });
export const WHOLE_ROWS: ChunkBoundary = Object.freeze({ columns: 'row', blocks: 1 });

function greatestCommonDivisor(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y !== 0) [x, y] = [y, x % y];
  return x;
}

export function findLeastCommonMultiple(a: number, b: number): number {
  return (a / greatestCommonDivisor(a, b)) * b;
}

export interface ChunkOptions {
  readonly boundary?: ChunkBoundary;
  readonly chunkElements?: number;
  /** Rows as the file has them, whichever way round they are: for work that has no groups. */
  readonly asStored?: boolean;
  /**
   * Transposed weights may be cut between groups of inputs: such chunks lie in the file in one piece,
   * in order, but hold parts of all rows.
   */
  readonly bands?: boolean;
  /** Experts of one tensor are cut one by one, whichever way round they are. */
  readonly expertsApart?: boolean;
}

/** Bands of transposed weights may grow to this before strips are cut instead. */
const MAX_BAND_ELEMENTS = 1 << 22;

/**
 * Cuts a tensor into chunks, in order; together they cover it once.
 * @throws when what must stay together is larger than {@link MAX_CHUNK_ELEMENTS}
 */
export function* planChunks(tensor: ModelTensor, options: ChunkOptions = {}): Generator<ChunkRef> {
  if (tensor.elements === 0) return;
  // What lies transposed is cut as if it did not: in the file's own rows.
  if (options.asStored && tensor.transposed) {
    yield* planMatrix({ ...tensor, transposed: false, matrixShape: undefined }, options);
  } else if (isExpertsApart(tensor, options)) {
    for (const expert of expertsOf(tensor)) yield* planMatrix(expert, options);
  } else {
    yield* planMatrix(tensor, options);
  }
}

/** Experts of one tensor are cut one by one where rows of all of them would not lie in order, or blocks would straddle two. */
function isExpertsApart(
  tensor: ModelTensor,
  { boundary = WHOLE_ROWS, expertsApart = false }: ChunkOptions,
): boolean {
  const shape = shapeAsMatrix(tensor);
  if (shape.length !== 3) return false;
  return expertsApart || tensor.transposed || (shape[1] * shape[2]) % boundary.blocks !== 0;
}

/** The matrices of a tensor of experts, in order. */
function* expertsOf(tensor: ModelTensor): Generator<ModelTensor> {
  const { shape, dtype, offset, matrixShape } = tensor;
  const elements = tensor.elements / shape[0];
  for (let expert = 0; expert < shape[0]; expert++) {
    yield {
      ...tensor,
      shape: shape.slice(1),
      matrixShape: matrixShape?.slice(1),
      offset: offset + countStoredBytes(dtype, expert * elements),
      bytes: countStoredBytes(dtype, elements),
      elements,
    };
  }
}

function* planMatrix(
  tensor: ModelTensor,
  { boundary = WHOLE_ROWS, chunkElements = CHUNK_ELEMENTS, bands = false }: ChunkOptions,
): Generator<ChunkRef> {
  const { transposed } = tensor;
  const { rows, columns } = getMatrixShape(tensor);
  const { source } = tensor;
  const chunk = (firstElement: number, chunkRows: number, chunkColumns: number): ChunkRef => {
    const first = transposed
      ? Math.floor(firstElement / columns) + (firstElement % columns) * rows
      : firstElement;
    return {
      source,
      offset: tensor.offset + countStoredBytes(tensor.dtype, first),
      dtype: tensor.dtype,
      rows: chunkRows,
      columns: chunkColumns,
      storedStride: transposed ? rows : undefined,
    };
  };

  const cut =
    boundary.columns === 'row' || columns % boundary.blocks !== 0
      ? undefined
      : findLeastCommonMultiple(boundary.columns, boundary.blocks);
  if (transposed && bands && cut !== undefined && boundary.blocks === 1) {
    const band = Math.max(1, Math.floor(chunkElements / rows / cut)) * cut;
    if (Math.min(band, columns) * rows <= MAX_BAND_ELEMENTS) {
      for (let column = 0; column < columns; column += band) {
        yield chunk(column, rows, Math.min(band, columns - column));
      }
      return;
    }
  }
  if (cut !== undefined && columns > chunkElements) {
    const piece = Math.max(1, Math.floor(chunkElements / cut)) * cut;
    checkSize(tensor, Math.min(piece, columns));
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column += piece) {
        yield chunk(row * columns + column, 1, Math.min(piece, columns - column));
      }
    }
    return;
  }
  // So many rows that a chunk holds whole blocks of the flattened tensor.
  const rowStep = boundary.blocks / greatestCommonDivisor(boundary.blocks, columns);
  const rowsPerChunk = Math.max(1, Math.floor(chunkElements / columns / rowStep)) * rowStep;
  checkSize(tensor, Math.min(rowsPerChunk, rows) * columns);
  for (let row = 0; row < rows; row += rowsPerChunk) {
    yield chunk(row * columns, Math.min(rowsPerChunk, rows - row), columns);
  }
}

function checkSize(tensor: ModelTensor, elements: number): void {
  if (elements <= MAX_CHUNK_ELEMENTS) return;
  throw new Error(
    `${tensor.file}: groups of "${tensor.name}" would span ${elements} weights at once; at most ${MAX_CHUNK_ELEMENTS} are handled`,
  );
}
