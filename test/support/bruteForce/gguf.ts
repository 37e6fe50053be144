// GGUF's blocks of FP4 and of one or two bits by their definitions, bytes included.
import {
  E2M1,
  E4M3,
  largestMagnitude,
  listMagnitudes,
  nearest,
  nearestPlace,
  nearestSigned,
} from './numbers.js';

const { fround } = Math;

export interface GgufBlock {
  readonly bytes: number[];
  readonly values: number[];
}

export interface GgufDefinition {
  readonly blockSize: number;
  /** @param block whole */
  quantize(block: readonly number[]): GgufBlock;
}

const F16 = listMagnitudes(5, 10, 15, 65504);

/** A scale ≥ 0 as two bytes, and what they stand for; from 65520 on infinity. */
function storeF16(scale: number) {
  const code = scale >= 65520 ? 0x7c00 : nearestPlace(F16, scale, 'even');
  return { bytes: [code & 255, code >> 8], value: code === 0x7c00 ? Infinity : F16[code] };
}

/** The value of each code of E2M1, in ggml's order, and the first of those that are nearest to a weight. */
const TABLE = [...E2M1, ...E2M1.map((value) => -value)];
function fp4Code(weight: number, scale: number): number {
  const distances = TABLE.map((value) => Math.abs(fround(fround(value * scale) - weight)));
  return distances.indexOf(Math.min(...distances));
}

/** Two codes to a byte, `apart` weights apart. */
function nibbles(codes: readonly number[], apart: number): number[] {
  return Array.from({ length: apart }, (_, i) => codes[i] + 16 * codes[i + apart]);
}

function fp4Values(codes: readonly number[], scale: number): number[] {
  return codes.map((code) => fround(TABLE[code] * scale));
}

const mxfp4: GgufDefinition = {
  blockSize: 32,
  quantize(block) {
    const largest = largestMagnitude(block);
    // From −24 on, as the least f32 would have it; bytes below 0 wrap around.
    let code = largest === 0 ? 0 : -24;
    while (largest >= 8 * 2 ** (code - 127)) code++;
    code = (code + 256) % 256;
    const scale = 2 ** (code - 127);
    const codes = block.map((weight) => fp4Code(weight, scale));
    return { bytes: [code, ...nibbles(codes, 16)], values: fp4Values(codes, scale) };
  },
};

/** Scales of nvfp4: subnormal ones are not rounded up to a normal one, and none lies between 240 and 448. */
function ue4m3(scale: number): number {
  const below = E4M3.filter((value) => (scale < 2 ** -6 ? value < 2 ** -6 : value <= 240));
  return scale >= 248 ? 448 : nearest(below, scale, 'up');
}

const nvfp4: GgufDefinition = {
  blockSize: 64,
  quantize(block) {
    const parts = [0, 16, 32, 48].map((start) => {
      const part = block.slice(start, start + 16);
      const scale = ue4m3(fround(largestMagnitude(part) / 6));
      const codes = part.map((weight) => fp4Code(weight, scale));
      return {
        scale: E4M3.indexOf(scale),
        codes: nibbles(codes, 8),
        values: fp4Values(codes, scale),
      };
    });
    return {
      bytes: [...parts.map(({ scale }) => scale), ...parts.flatMap(({ codes }) => codes)],
      values: parts.flatMap(({ values }) => values),
    };
  },
};

/** Levels of weights over the largest of them. @param overflown where that has no inverse */
function ternary(block: readonly number[], overflown: number) {
  const largest = largestMagnitude(block);
  const inverse = largest === 0 ? 0 : fround(1 / largest);
  const levels = block.map((weight) =>
    inverse === Infinity ? overflown : nearestSigned([0, 1], fround(weight * inverse), 'away') + 0,
  );
  const scale = storeF16(largest);
  return {
    codes: levels.map((level) => level + 1),
    scale: scale.bytes,
    values: levels.map((level) => fround(level * scale.value)),
  };
}

/** Codes of `bits` each in the bytes that a rule names. */
function packed(codes: readonly number[], bits: number, byteOf: (i: number) => number) {
  const bytes = new Array<number>((codes.length * bits) / 8).fill(0);
  const filled = bytes.map(() => 0);
  codes.forEach((code, i) => {
    bytes[byteOf(i)] += code * 2 ** filled[byteOf(i)];
    filled[byteOf(i)] += bits;
  });
  return bytes;
}

const tq2_0: GgufDefinition = {
  blockSize: 256,
  quantize(block) {
    const { codes, scale, values } = ternary(block, 0);
    const bytes = packed(codes, 2, (i) => (i < 128 ? 0 : 32) + (i % 32));
    return { bytes: [...bytes, ...scale], values };
  },
};

/** The least byte that stands for a number below 3⁵ as a fraction of 256. */
function ternaryByte(digits: readonly number[]): number {
  const number = [...digits, 0, 0].slice(0, 5).reduce((sum, digit) => sum * 3 + digit, 0);
  let byte = 0;
  while (Math.floor((byte * 243) / 256) < number) byte++;
  return byte;
}

const tq1_0: GgufDefinition = {
  blockSize: 256,
  quantize(block) {
    const { codes, scale, values } = ternary(block, 0);
    const run = (start: number, end: number, bytes: number) =>
      Array.from({ length: bytes }, (_, i) =>
        ternaryByte(codes.slice(start, end).filter((_, at) => at % bytes === i)),
      );
    const bytes = [...run(0, 160, 32), ...run(160, 240, 16), ...run(240, 256, 4)];
    return { bytes: [...bytes, ...scale], values };
  },
};

const q2_0: GgufDefinition = {
  blockSize: 64,
  quantize(block) {
    const { codes, scale, values } = ternary(block, -1);
    return { bytes: [...scale, ...packed(codes, 2, (i) => Math.floor(i / 4))], values };
  },
};

const q1_0: GgufDefinition = {
  blockSize: 128,
  quantize(block) {
    let sum = 0;
    for (const weight of block) sum = fround(sum + Math.abs(weight));
    const scale = storeF16(fround(sum / 128));
    const signs = block.map((weight) => (weight < 0 ? 0 : 1));
    return {
      bytes: [...scale.bytes, ...packed(signs, 1, (i) => Math.floor(i / 8))],
      values: signs.map((sign) => (sign === 1 ? scale.value : -scale.value)),
    };
  },
};

/** By the names of the catalogue. */
export const GGUF_DEFINITIONS: Readonly<Record<string, GgufDefinition>> = {
  'mxfp4-gguf': mxfp4,
  'nvfp4-gguf': nvfp4,
  tq1_0,
  tq2_0,
  q1_0,
  q2_0,
};
