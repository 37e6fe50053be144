import type { StoredTensor } from '../../storage/container.js';
import { roundToF16InPlace } from '../../storage/elementValues.js';
import { quoted } from '../../storage/errors.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { decodeAcross } from '../loops.js';
import { describeGroup, presentParts, SCALE_TYPES, text } from './shared.js';

/** Which of a word's eight outputs each nibble holds, the lowest first. */
const OUTPUT_OF_NIBBLE: readonly number[] = [0, 2, 4, 6, 1, 3, 5, 7];

function findWeight(
  codes: StoredTensor,
  { find, quantization }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (codes.shape.length !== 2) return undefined;
  const scales = find(`${module}.scales`);
  const zeros = find(`${module}.qzeros`);
  if (scales?.shape.length !== 2) return undefined;
  const [inputs, words] = codes.shape;
  const [groups, outputs] = scales.shape;
  if (words * 8 !== outputs) return undefined;
  const groupSize = inputs / groups;
  const version = text(quantization, 'version')?.toLowerCase() ?? 'gemm';
  let refusal: string | undefined;
  if (version !== 'gemm') refusal = `version ${quoted(version)} is not known here`;
  else if (!Number.isInteger(groupSize))
    refusal = `${groups} groups do not divide ${inputs} inputs`;
  else if (!zeros) refusal = 'its zero points (qzeros) are missing';
  else if (zeros.shape.length !== 2 || zeros.shape[0] !== groups || zeros.shape[1] !== words) {
    refusal = `its zero points are of shape [${zeros.shape.join(', ')}] where [${groups}, ${words}] belongs`;
  }
  return {
    name: `${module}.weight`,
    shape: [outputs, inputs],
    parts: presentParts({ codes, scales, zeros }),
    parameters: { groupSize },
    label: `AWQ 4-bit ${describeGroup(groupSize, inputs)}`,
    refusal,
  };
}

/** A word's nibbles as eight codes in the order of outputs. */
function unpackWord(word: number, codes: Uint8Array, at: number): void {
  for (let nibble = 0; nibble < 8; nibble++) {
    codes[at + OUTPUT_OF_NIBBLE[nibble]] = (word >>> (4 * nibble)) & 15;
  }
}

/** A scale times each of sixteen codes less its zero point. */
function fillDifferences(values: Float32Array, at: number, scale: number, zero: number): void {
  for (let code = 0; code < 16; code++) values[at + code] = scale * (code - zero);
}

/** AWQ, version "gemm": 4-bit codes packed along the outputs, eight to a word in an order of their own. */
export const awq: Layout = {
  id: 'awq',
  codes: { types: ['I32'], endsIn: ['.qweight'] },
  partTypes: { scales: SCALE_TYPES, zeros: ['I32'] },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const [outputs, inputs] = shape;
    const groupSize = Number(parameters.groupSize);
    const scales = await parts.values('scales');
    const halfScales = parts.part('scales').dtype === 'F16';
    const zeroBytes = await parts.bytes('zeros');
    const zeroWords = new Uint32Array(zeroBytes.buffer, zeroBytes.byteOffset, zeroBytes.length / 4);
    const zeros = new Uint8Array(zeroWords.length * 8);
    zeroWords.forEach((word, i) => unpackWord(word, zeros, i * 8));
    return {
      async decode(firstRow, rows, target) {
        const firstWord = Math.floor(firstRow / 8);
        const words = Math.ceil((firstRow + rows) / 8) - firstWord;
        const bytes = await parts.columns('codes', firstWord, words);
        const packed = new Int32Array(bytes.buffer, bytes.byteOffset, inputs * words);
        const skip = firstRow - firstWord * 8;
        // Of each nibble of a word its sixteen values, anew for each group.
        const values = new Float32Array(8 * 16);
        const starts = new Int32Array(8);
        for (let word = 0; word < words; word++) {
          for (let group = 0; group * groupSize < inputs; group++) {
            const begin = group * groupSize;
            for (let nibble = 0; nibble < 8; nibble++) {
              const output = word * 8 + OUTPUT_OF_NIBBLE[nibble];
              const row = output - skip;
              starts[nibble] = row < 0 || row >= rows ? -1 : row * inputs + begin;
              const stored = group * outputs + firstWord * 8 + output;
              fillDifferences(values, nibble * 16, scales[stored], zeros[stored]);
            }
            // The original multiplies in the type of its scales, which others that load such files do as well.
            if (halfScales) roundToF16InPlace(values);
            const run = { first: begin * words + word, step: words, count: groupSize };
            decodeAcross(packed, run, values, starts, target);
          }
        }
      },
    };
  },
};
