import type { Handlers } from '../rpc/rpc.js';
import { countStoredBytes, hasPlainNumbers } from '../storage/elementTypes.js';
import type { ChunkLoader } from './chunkLoader.js';
import type { ChunkTask } from './tasks.js';

/** What a check of a checkpoint wants to know of a run of elements. Sums can be joined, see `joinExamined`. */
export interface Examined {
  readonly elements: number;
  readonly nan: number;
  readonly infinite: number;
  readonly zeros: number;
  /** Of the finite elements; +∞ and −∞ where there are none. */
  readonly min: number;
  readonly max: number;
  /** All bits that any element has set below those of BF16: 0 where F32 holds what BF16 can hold. */
  readonly lowBits: number;
  /** Two checksums over the bytes, which tell runs of one length apart. */
  readonly checksum: readonly [number, number];
}

/** What a compute worker finds out for checks. */
export interface ExamineApi {
  examine(task: ChunkTask): Promise<Examined>;
}

export function makeExamineMethods(loader: ChunkLoader): Handlers<ExamineApi> {
  return {
    async examine(task) {
      const { dtype, rows, columns } = task.chunk;
      const elements = rows * columns;
      const kernels = await loader.read(task);
      const bytes = kernels.input(dtype, elements);
      const stored = bytes.subarray(0, countStoredBytes(dtype, elements));
      const checksum = sumBytes(stored);
      if (!hasPlainNumbers(dtype)) return { ...NOTHING, elements, checksum };
      kernels.decode(dtype, elements);
      return { ...examineValues(kernels.weights(elements)), checksum };
    },
  };
}

/** An empty run. */
export const NOTHING: Examined = Object.freeze({
  elements: 0,
  nan: 0,
  infinite: 0,
  zeros: 0,
  min: Infinity,
  max: -Infinity,
  lowBits: 0,
  checksum: [0, 0] as const,
});

/** Of two runs that follow each other. */
export function joinExamined(one: Examined, next: Examined): Examined {
  return {
    elements: one.elements + next.elements,
    nan: one.nan + next.nan,
    infinite: one.infinite + next.infinite,
    zeros: one.zeros + next.zeros,
    min: Math.min(one.min, next.min),
    max: Math.max(one.max, next.max),
    lowBits: one.lowBits | next.lowBits,
    checksum: [
      mix(one.checksum[0], next.checksum[0], 0x85ebca6b),
      mix(one.checksum[1], next.checksum[1], 0xc2b2ae35),
    ],
  };
}

function examineValues(values: Float32Array): Omit<Examined, 'checksum'> {
  const words = new Uint32Array(values.buffer, values.byteOffset, values.length);
  let nan = 0;
  let infinite = 0;
  let zeros = 0;
  let min = Infinity;
  let max = -Infinity;
  let lowBits = 0;
  for (let i = 0; i < values.length; i++) {
    const value = values[i];
    lowBits |= words[i] & 0xffff;
    if (value === 0) zeros++;
    if (value - value === 0) {
      if (value < min) min = value;
      if (value > max) max = value;
    } else if (value !== value) nan++;
    else infinite++;
  }
  return { elements: values.length, nan, infinite, zeros, min, max, lowBits };
}

/** Of bytes that begin at a multiple of four. */
function sumBytes(bytes: Uint8Array): [number, number] {
  const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length >>> 2);
  let one = bytes.length | 0;
  let other = ~bytes.length;
  for (let i = 0; i < words.length; i++) {
    one = mix(one, words[i], 0x9e3779b1);
    other = mix(other, words[i], 0x27d4eb2f);
  }
  for (const byte of bytes.subarray(words.length * 4)) {
    one = mix(one, byte, 0x9e3779b1);
    other = mix(other, byte, 0x27d4eb2f);
  }
  return [one >>> 0, other >>> 0];
}

/** Takes a word into a checksum; each step can be undone, so that no earlier word is forgotten. */
function mix(sum: number, word: number, factor: number): number {
  const mixed = Math.imul(sum ^ word, factor);
  return ((mixed ^ (mixed >>> 15)) + 0x165667b1) | 0;
}
