/** What a packed block decodes to: weight = scale·level + offset, by sub-block. */
export interface UnpackedBlock {
  /** One integer per weight. */
  readonly levels: Int16Array;
  /** One per sub-block; sub-blocks are equally long. */
  readonly scales: Float32Array;
  /** One per sub-block; −0, which changes no sum, where the type has none. */
  readonly offsets: Float32Array;
}

/** What says which weights of a block matter. */
export interface BlockImportance {
  /** Mean square of the input that each weight multiplies: at least 0, one per weight. */
  readonly inputs: Float32Array;
  /** Mean square of the weights of the block's whole row, an f32. */
  readonly rowMeanSquare: number;
}

/** One type's rule and layout. */
export interface BlockCodec {
  /** The levels that codes can mean, ascending. */
  readonly grid: readonly number[];
  /** Fills a packed block from finite weights. Types that have no use for an importance disregard it. */
  quantize(weights: Float32Array, packed: Uint8Array, importance?: BlockImportance): void;
  unpack(packed: Uint8Array): UnpackedBlock;
}

/** The integers low … high. */
export function integerGrid(low: number, high: number): number[] {
  return Array.from({ length: high - low + 1 }, (_, i) => low + i);
}

/** Offsets of a type that has none. */
export function noOffsets(subBlocks: number): Float32Array {
  return new Float32Array(subBlocks).fill(-0);
}
