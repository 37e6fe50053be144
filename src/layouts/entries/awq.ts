import type { StoredTensor } from '../../storage/container.js';
import { roundToF16InPlace } from '../../storage/elementValues.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
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
  if (version !== 'gemm') refusal = `version "${version}" is not known here`;
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

/** Values of the nibbles at one place of every `step`th word, from the word `first` on. */
function lookUp(
  packed: Uint32Array,
  first: number,
  step: number,
  shift: number,
  values: Float32Array,
  target: Float32Array,
): void {
  for (let i = 0, at = first; i < target.length; i++, at += step) {
    target[i] = values[(packed[at] >>> shift) & 15];
  }
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
        const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, inputs * words);
        const skip = firstRow - firstWord * 8;
        // Of each output of a word its sixteen values, anew for each group.
        const values = new Float32Array(8 * 16);
        for (let word = 0; word < words; word++) {
          const firstOutput = (firstWord + word) * 8;
          for (let group = 0; group * groupSize < inputs; group++) {
            for (let output = 0; output < 8; output++) {
              const stored = group * outputs + firstOutput + output;
              for (let code = 0; code < 16; code++) {
                values[output * 16 + code] = scales[stored] * (code - zeros[stored]);
              }
            }
            // The original multiplies in the type of its scales, which others that load such files do as well.
            if (halfScales) roundToF16InPlace(values);
            const begin = group * groupSize;
            for (let nibble = 0; nibble < 8; nibble++) {
              const output = OUTPUT_OF_NIBBLE[nibble];
              const row = word * 8 + output - skip;
              if (row < 0 || row >= rows) continue;
              const ofOutput = values.subarray(output * 16, output * 16 + 16);
              const line = target.subarray(row * inputs + begin, row * inputs + begin + groupSize);
              lookUp(packed, begin * words + word, words, 4 * nibble, ofOutput, line);
            }
          }
        }
      },
    };
  },
};
