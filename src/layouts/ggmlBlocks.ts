import { GGML_TYPES } from '../formats/ggmlTypes.js';
import { dequantizeGgmlBlock } from '../kernels/reference/ggml/index.js';
import { codeValue, f16FromBits } from '../storage/elementValues.js';
import { E2M1_VALUES } from './entries/shared.js';

/** How blocks of one of GGUF's types are decoded. */
export interface BlockDecoder {
  /** Weights per block. */
  readonly blockSize: number;
  readonly blockBytes: number;
  /** @param packed one block @param output its weights */
  decode(packed: Uint8Array, output: Float32Array): void;
}

const { fround } = Math;

function loadF16(packed: Uint8Array, at: number): number {
  return f16FromBits(packed[at] | (packed[at + 1] << 8));
}

/** MXFP4: a power of two, then two codes to a byte, the second half of the block in the high bits. */
const mxfp4: BlockDecoder = {
  blockSize: 32,
  blockBytes: 17,
  decode(packed, output) {
    const scale = 2 ** (packed[0] - 127);
    for (let i = 0; i < 16; i++) {
      const byte = packed[1 + i];
      output[i] = fround(scale * E2M1_VALUES[byte & 15]);
      output[i + 16] = fround(scale * E2M1_VALUES[byte >> 4]);
    }
  },
};

const e4m3Value = codeValue('F8_E4M3')!;

/** An 8-bit float without sign, E4M3; ggml takes its NaN for 0. */
function ue4m3Value(code: number): number {
  const magnitude = code & 0x7f;
  return magnitude === 0x7f ? 0 : e4m3Value(magnitude);
}

/** NVFP4: four scales, then four sub-blocks of 16 weights in 8 bytes each. */
const nvfp4: BlockDecoder = {
  blockSize: 64,
  blockBytes: 36,
  decode(packed, output) {
    for (let part = 0; part < 4; part++) {
      const scale = ue4m3Value(packed[part]);
      for (let i = 0; i < 8; i++) {
        const byte = packed[4 + part * 8 + i];
        output[part * 16 + i] = fround(scale * E2M1_VALUES[byte & 15]);
        output[part * 16 + i + 8] = fround(scale * E2M1_VALUES[byte >> 4]);
      }
    }
  },
};

/** The n-th digit of a byte that holds five digits of base 3 as a fraction of 256. */
function ternaryDigit(byte: number, digit: number): number {
  const shifted = (byte * 3 ** digit) & 255;
  return (shifted * 3) >> 8;
}

/** TQ1_0: −1, 0 or 1 times a scale; five weights to a byte, four in the last four bytes. */
const tq1: BlockDecoder = {
  blockSize: 256,
  blockBytes: 54,
  decode(packed, output) {
    const scale = loadF16(packed, 52);
    const stretches = [
      { bytesAt: 0, bytes: 32, digits: 5, at: 0 },
      { bytesAt: 32, bytes: 16, digits: 5, at: 160 },
      { bytesAt: 48, bytes: 4, digits: 4, at: 240 },
    ];
    for (const { bytesAt, bytes, digits, at } of stretches) {
      for (let digit = 0; digit < digits; digit++) {
        for (let i = 0; i < bytes; i++) {
          const level = ternaryDigit(packed[bytesAt + i], digit) - 1;
          output[at + digit * bytes + i] = fround(level * scale);
        }
      }
    }
  },
};

/** TQ2_0: −1, 0 or 1 (2 can be written) times a scale; four weights to a byte, 32 apart. */
const tq2: BlockDecoder = {
  blockSize: 256,
  blockBytes: 66,
  decode(packed, output) {
    const scale = loadF16(packed, 64);
    for (let i = 0; i < 256; i++) {
      const byte = packed[(i >> 7) * 32 + (i & 31)];
      const level = ((byte >> (2 * ((i >> 5) & 3))) & 3) - 1;
      output[i] = fround(level * scale);
    }
  },
};

/** Q1_0: a sign times a scale. */
const q1: BlockDecoder = {
  blockSize: 128,
  blockBytes: 18,
  decode(packed, output) {
    const scale = loadF16(packed, 0);
    for (let i = 0; i < 128; i++) {
      output[i] = (packed[2 + (i >> 3)] >> (i & 7)) & 1 ? scale : -scale;
    }
  },
};

/** Q2_0: −1, 0, 1 or 2 times a scale. */
const q2: BlockDecoder = {
  blockSize: 64,
  blockBytes: 18,
  decode(packed, output) {
    const scale = loadF16(packed, 0);
    for (let i = 0; i < 64; i++) {
      const level = ((packed[2 + (i >> 2)] >> (2 * (i & 3))) & 3) - 1;
      output[i] = fround(level * scale);
    }
  },
};

/** By the names that llama.cpp writes. */
export const BLOCK_DECODERS: ReadonlyMap<string, BlockDecoder> = new Map<string, BlockDecoder>([
  ...Object.values(GGML_TYPES).map((type): [string, BlockDecoder] => [
    type.name.toUpperCase(),
    {
      blockSize: type.blockSize,
      blockBytes: type.blockBytes,
      decode: (packed, output) => dequantizeGgmlBlock(type, packed, output),
    },
  ]),
  ['MXFP4', mxfp4],
  ['NVFP4', nvfp4],
  ['TQ1_0', tq1],
  ['TQ2_0', tq2],
  ['Q1_0', q1],
  ['Q2_0', q2],
]);
