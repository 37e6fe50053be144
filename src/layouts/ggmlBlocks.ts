import { GGML_TYPES } from '../formats/ggmlTypes.js';
import { dequantizeGgmlBlock } from '../kernels/reference/ggml/index.js';

/** How blocks of one of GGUF's types are decoded. */
export interface BlockDecoder {
  /** Weights per block. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** @param packed one block @param output its weights */
  decode(packed: Uint8Array, output: Float32Array): void;
}

/** By the names that llama.cpp writes. */
export const BLOCK_DECODERS: ReadonlyMap<string, BlockDecoder> = new Map(
  Object.values(GGML_TYPES).map((type) => [
    type.name.toUpperCase(),
    {
      blockSize: type.blockSize,
      blockBytes: type.blockBytes,
      decode: (packed, output) => dequantizeGgmlBlock(type, packed, output),
    },
  ]),
);
