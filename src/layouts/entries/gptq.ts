import type { StoredTensor } from '../../storage/container.js';
import { quoted } from '../../storage/errors.js';
import type { FoundWeight, Layout, LayoutContext, QuantizationConfig } from '../layout.js';
import { decodeWords, unpackDense } from '../loops.js';
import type { PartReader } from '../partReader.js';
import { describeGroup, presentParts, SCALE_TYPES, text, wholeNumber } from './shared.js';

/** Widths of codes that this layout has. */
const WIDTHS: readonly number[] = [2, 3, 4, 8];

/** How zero points are stored: less one, or as they are. */
function zeroOffset(config: QuantizationConfig): { readonly offset: number } | { refusal: string } {
  const stated = text(config, 'checkpoint_format') ?? text(config, 'format') ?? 'gptq';
  // What AutoGPTQ wrote until 0.7.
  const format = config.is_marlin_format === true ? 'marlin' : stated;
  switch (format) {
    case 'gptq':
    case 'marlin':
      return format === 'gptq'
        ? { offset: 1 }
        : { refusal: "Marlin's order of codes is not known here" };
    case 'gptq_v2':
      return { offset: 0 };
    default:
      return { refusal: `checkpoint_format ${quoted(format)} is not known here` };
  }
}

function findWeight(
  codes: StoredTensor,
  { find, quantization }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (codes.shape.length !== 2) return undefined;
  const scales = find(`${module}.scales`);
  const zeros = find(`${module}.qzeros`);
  if (!scales || scales.shape.length !== 2 || text(quantization, 'quant_method') === 'awq')
    return undefined;
  const [groups, outputs] = scales.shape;
  // Codes are packed along the inputs; AWQ packs them along the outputs.
  if (codes.shape[1] !== outputs || outputs === 0) return undefined;
  const bits = zeros ? (zeros.shape[1] * 32) / outputs : wholeNumber(quantization, 'bits');
  const known = bits !== undefined && WIDTHS.includes(bits);
  const inputs = known ? (codes.shape[0] * 32) / bits : codes.shape[0];
  const groupIndex = find(`${module}.g_idx`);
  const configured = wholeNumber(quantization, 'group_size');
  const groupSize =
    configured !== undefined && Math.ceil(inputs / configured) === groups
      ? configured
      : Math.ceil(inputs / Math.max(1, groups));
  const offset = zeroOffset(quantization);
  let refusal: string | undefined;
  if (!known || !Number.isInteger(inputs)) refusal = 'the width of its codes cannot be told';
  else if (groups === 0) refusal = 'its scales have no elements';
  else if (zeros && (zeros.shape.length !== 2 || zeros.shape[0] !== groups)) {
    refusal = `its zero points are for ${zeros.shape[0]} groups, its scales for ${groups}`;
  } else if (groupIndex && (groupIndex.dtype !== 'I32' || groupIndex.elements !== inputs)) {
    refusal = `its g_idx has ${groupIndex.elements} entries for ${inputs} inputs`;
  } else if (!groupIndex && Math.ceil(inputs / groupSize) !== groups) {
    refusal = `${groups} groups do not divide ${inputs} inputs`;
  } else if ('refusal' in offset) refusal = offset.refusal;
  return {
    name: `${module}.weight`,
    shape: [outputs, inputs],
    parts: presentParts({ codes, scales, zeros, groupIndex }),
    parameters: {
      bits: bits ?? 0,
      groupSize,
      zeroOffset: 'offset' in offset ? offset.offset : 0,
      symmetric: quantization.sym === true,
    },
    label: `GPTQ ${known ? `${bits}-bit ` : ''}${describeGroup(groupSize, inputs, configured !== undefined)}`,
    refusal,
  };
}

/** GPTQ and GPTQModel, versions 1 and 2: codes packed along the inputs of a transposed matrix. */
export const gptq: Layout = {
  id: 'gptq',
  codes: { types: ['I32'], endsIn: ['.qweight'] },
  partTypes: { scales: SCALE_TYPES, zeros: ['I32'], groupIndex: ['I32'] },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const [outputs, inputs] = shape;
    const { bits, groupSize, zeroOffset: offset } = parameters as Readonly<Record<string, number>>;
    const [groups] = parts.part('scales').shape;
    const scales = await parts.values('scales');
    const zeros = new Float32Array(groups * outputs);
    if (parts.has('zeros')) {
      const bytes = await parts.bytes('zeros');
      const words = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      const perRow = (outputs * bits) / 32;
      const row = new Uint8Array(outputs);
      for (let group = 0; group < groups; group++) {
        unpackDense(words.subarray(group * perRow), bits, row, { count: outputs });
        for (let i = 0; i < outputs; i++) zeros[group * outputs + i] = row[i];
      }
    }
    const middle = 2 ** (bits - 1);
    // Symmetric codes have their zero in the middle, whichever way files say so: loaders ignore what is stored.
    const isMiddle =
      zeros.every((zero) => zero === middle) || zeros.every((zero) => zero === middle - 1);
    if (!parts.has('zeros') || (parameters.symmetric && isMiddle)) zeros.fill(middle);
    else for (let i = 0; i < zeros.length; i++) zeros[i] += offset;
    const groupOf = await readGroups(parts, { inputs, groups, groupSize });
    const words = (inputs * bits) / 32;
    const runs = findWordRuns(groupOf, bits);
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.columns('codes', firstRow, rows);
        const packed = new Int32Array(bytes.buffer, bytes.byteOffset, words * rows);
        const all = { packed, rows, bits, scales, zeros, groupOf, outputs, firstRow, target };
        if (runs) decodeRuns(all, runs);
        else decodeCodes(all);
      },
    };
  },
};

/** What is decoded at a time: some rows of a weight. */
interface GptqRows {
  /** [words × rows] */
  readonly packed: Int32Array;
  readonly rows: number;
  readonly bits: number;
  /** f32 [groups × outputs], like the zeros. */
  readonly scales: Float32Array;
  readonly zeros: Float32Array;
  readonly groupOf: Int32Array;
  readonly outputs: number;
  readonly firstRow: number;
  /** f32 [rows × inputs]. */
  readonly target: Float32Array;
}

/** Words that follow each other and whose codes belong to one group. */
interface GroupRun {
  readonly group: number;
  readonly firstWord: number;
  readonly words: number;
}

/** The words of a row by group; undefined where a word has codes of several groups, or a code lies in two words. */
function findWordRuns(groupOf: Int32Array, bits: number): readonly GroupRun[] | undefined {
  if (32 % bits !== 0) return undefined;
  const perWord = 32 / bits;
  if (groupOf.some((group, input) => group !== groupOf[input - (input % perWord)]))
    return undefined;
  const runs: GroupRun[] = [];
  const count = groupOf.length / perWord;
  for (let first = 0, word = 1; word <= count; word++) {
    if (word < count && groupOf[word * perWord] === groupOf[first * perWord]) continue;
    runs.push({ group: groupOf[first * perWord], firstWord: first, words: word - first });
    first = word;
  }
  return runs;
}

function decodeRuns(all: GptqRows, runs: readonly GroupRun[]): void {
  const { rows, bits, scales, zeros, groupOf, outputs, firstRow, target } = all;
  const perWord = 32 / bits;
  const values = new Float32Array(16);
  for (let row = 0; row < rows; row++) {
    for (const { group, firstWord, words } of runs) {
      const stored = group * outputs + firstRow + row;
      const at = row * groupOf.length + firstWord * perWord;
      const run = { row, firstWord, words, at };
      decodeWords(all, run, scales[stored], zeros[stored], values, target);
    }
  }
}

/** Code by code: groups in any order, codes of any width. */
function decodeCodes(all: GptqRows): void {
  const { packed, rows, bits, scales, zeros, groupOf, outputs, firstRow, target } = all;
  const inputs = groupOf.length;
  const mask = (1 << bits) - 1;
  for (let input = 0; input < inputs; input++) {
    const bit = input * bits;
    const word = (bit >>> 5) * rows;
    const shift = bit & 31;
    const straddles = shift + bits > 32;
    const stored = groupOf[input] * outputs + firstRow;
    for (let row = 0; row < rows; row++) {
      let code = packed[word + row] >>> shift;
      if (straddles) code |= packed[word + rows + row] << (32 - shift);
      target[row * inputs + input] = scales[stored + row] * ((code & mask) - zeros[stored + row]);
    }
  }
}

/** The group of each input: as stored, or one after the other. @throws CheckpointError */
export async function readGroups(
  parts: PartReader,
  {
    inputs,
    groups,
    groupSize,
  }: { readonly inputs: number; readonly groups: number; readonly groupSize: number },
): Promise<Int32Array> {
  const groupOf = parts.has('groupIndex')
    ? Int32Array.from(await parts.values('groupIndex'))
    : Int32Array.from({ length: inputs }, (_, input) => Math.floor(input / groupSize));
  const beyond = groupOf.find((group) => group < 0 || group >= groups);
  if (beyond === undefined) return groupOf;
  throw parts.contradiction('groupIndex', `its g_idx names group ${beyond} of ${groups}`);
}
