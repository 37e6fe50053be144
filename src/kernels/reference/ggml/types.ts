/** What a packed block decodes to: weight = scale·level + offset, by sub-block. */
export interface UnpackedBlock {
  /** One integer per weight. */
  readonly levels: Int16Array;
  /** One per sub-block; sub-blocks are equally long. */
  readonly scales: Float32Array;
  /** One per sub-block; −0, which changes no sum, where the type has none. */
  readonly offsets: Float32Array;
}

/** One type's rule and layout. */
export interface BlockCodec {
  /** The levels that codes can mean, ascending. */
  readonly grid: readonly number[];
  /** Fills a packed block from finite weights. */
  quantize(weights: Float32Array, packed: Uint8Array): void;
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
