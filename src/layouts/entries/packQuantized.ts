import type { StoredTensor } from '../../storage/container.js';
import type { FoundWeight, Layout, LayoutContext, QuantizationConfig } from '../layout.js';
import { asNibbles, lookUpNibbles, scaleDifferences, unpackDense } from '../loops.js';
import { readGroups } from './gptq.js';
import { describeGroup, presentParts, SCALE_TYPES, section, wholeNumber } from './shared.js';

/** Words of a row: codes follow each other without gaps, or (until 2026-05) none crosses into the next. */
function countWords(columns: number, bits: number, dense: boolean): number {
  return dense ? Math.ceil((columns * bits) / 32) : Math.ceil(columns / Math.floor(32 / bits));
}

/** Bits and group sizes that the configuration has for weights. */
function configuredWeights(config: QuantizationConfig): QuantizationConfig[] {
  return Object.keys(section(config, 'config_groups')).map((name) =>
    section(section(section(config, 'config_groups'), name), 'weights'),
  );
}

async function findWeight(
  codes: StoredTensor,
  { find, read, quantization }: LayoutContext,
  module: string,
): Promise<FoundWeight | undefined> {
  if (codes.shape.length !== 2) return undefined;
  const scales = find(`${module}.weight_scale`);
  const zeros = find(`${module}.weight_zero_point`);
  const groupIndex = find(`${module}.weight_g_idx`);
  const shapeTensor = find(`${module}.weight_shape`);
  const parts = presentParts({ codes, scales, zeros, groupIndex, shape: shapeTensor });
  const found = (
    shape: readonly number[],
    label: string,
    more: Partial<FoundWeight>,
  ): FoundWeight => ({
    name: `${module}.weight`,
    shape,
    parts,
    parameters: {},
    label,
    ...more,
  });
  const refuse = (refusal: string) =>
    found(codes.shape, 'compressed-tensors pack-quantized', { refusal });
  if (!scales || scales.shape.length !== 2) return refuse('its scales (weight_scale) are missing');
  if (shapeTensor?.dtype !== 'I64' || shapeTensor.elements !== 2) {
    return refuse('its shape (weight_shape) is missing');
  }
  const [outputs, inputs] = readPair(await read(shapeTensor));
  const [rows, words] = codes.shape;
  if (outputs !== rows || !(inputs > 0) || inputs > words * 32) {
    return refuse(
      `weight_shape says [${outputs}, ${inputs}], but codes are of shape [${rows}, ${words}]`,
    );
  }
  const widths = configuredWeights(quantization)
    .map((weights) => wholeNumber(weights, 'num_bits'))
    .filter((bits) => bits !== undefined);
  const candidates = [...widths, ...(widths.length > 0 ? [] : [4, 8, 2, 3, 5, 6, 7])].flatMap(
    (bits) => [
      { bits, dense: true },
      { bits, dense: false },
    ],
  );
  const packing = candidates.find(
    ({ bits, dense }) => bits >= 1 && bits <= 8 && countWords(inputs, bits, dense) === words,
  );
  if (!packing)
    return refuse(
      `${words} words a row hold no ${widths.join(' or ') || '2- to 8'}-bit codes of ${inputs} inputs`,
    );
  const { bits, dense } = packing;
  const [scaleRows, groups] = scales.shape;
  const configured = configuredWeights(quantization)
    .map((weights) => wholeNumber(weights, 'group_size'))
    .find((size) => size !== undefined && Math.ceil(inputs / size) === groups);
  const groupSize = configured ?? Math.ceil(inputs / groups);
  const perWord = dense || 32 % bits === 0 ? '' : ', codes within words';
  let refusal: string | undefined;
  if (scaleRows !== outputs)
    refusal = `its scales are for ${scaleRows} outputs, its codes for ${outputs}`;
  else if (groups === 0 || (!groupIndex && Math.ceil(inputs / groupSize) !== groups))
    refusal = `${groups} groups do not divide ${inputs} inputs`;
  else if (groupIndex && groupIndex.elements !== inputs) {
    refusal = `its weight_g_idx has ${groupIndex.elements} entries for ${inputs} inputs`;
  } else if (
    zeros &&
    (zeros.dtype !== 'I32' ||
      zeros.shape.length !== 2 ||
      zeros.shape[1] !== groups ||
      ![true, false].some((gapless) => zeros.shape[0] === countWords(outputs, bits, gapless)))
  ) {
    refusal = `zero points of shape [${zeros.shape.join(', ')}] do not belong to ${outputs} outputs`;
  }
  return found(
    [outputs, inputs],
    `compressed-tensors ${bits}-bit ${describeGroup(groupSize, inputs, configured !== undefined)}${perWord}`,
    {
      parameters: { bits, dense, groupSize },
      refusal,
    },
  );
}

function readPair(bytes: Uint8Array): [number, number] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return [Number(view.getBigInt64(0, true)), Number(view.getBigInt64(8, true))];
}

/** Inputs that follow each other and belong to one group. */
function findRuns(groupOf: Int32Array) {
  const runs: { readonly group: number; readonly first: number; readonly count: number }[] = [];
  for (let first = 0, input = 1; input <= groupOf.length; input++) {
    if (input < groupOf.length && groupOf[input] === groupOf[first]) continue;
    runs.push({ group: groupOf[first], first, count: input - first });
    first = input;
  }
  return runs;
}

/** Codes of one row, in either packing. */
function unpackRow(words: Uint32Array, bits: number, dense: boolean, codes: Uint8Array): void {
  if (dense) return unpackDense(words, bits, codes, { count: codes.length });
  const perWord = Math.floor(32 / bits);
  const mask = 2 ** bits - 1;
  for (let i = 0; i < codes.length; i++) {
    codes[i] = (words[Math.floor(i / perWord)] >>> ((i % perWord) * bits)) & mask;
  }
}

/** Integers of compressed-tensors in 32-bit words along the inputs ("pack-quantized"). */
export const packQuantized: Layout = {
  id: 'pack-quantized',
  codes: { types: ['I32'], endsIn: ['.weight_packed'] },
  partTypes: { scales: SCALE_TYPES, zeros: ['I32'], groupIndex: ['I32', 'I64'] },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const [outputs, inputs] = shape;
    const bits = Number(parameters.bits);
    const dense = parameters.dense === true;
    const middle = 2 ** (bits - 1);
    const [, groups] = parts.part('scales').shape;
    const scales = await parts.values('scales');
    const zeros = new Float32Array(outputs * groups);
    if (parts.has('zeros')) {
      const bytes = await parts.bytes('zeros');
      const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
      const zeroWords = parts.part('zeros').shape[0];
      const zerosDense = zeroWords === countWords(outputs, bits, true);
      const column = new Uint32Array(zeroWords);
      const codes = new Uint8Array(outputs);
      for (let group = 0; group < groups; group++) {
        for (let word = 0; word < zeroWords; word++) column[word] = packed[word * groups + group];
        unpackRow(column, bits, zerosDense, codes);
        for (let row = 0; row < outputs; row++) zeros[row * groups + group] = codes[row] - middle;
      }
    }
    const groupSize = Number(parameters.groupSize);
    const groupOf = await readGroups(parts, { inputs, groups, groupSize });
    const runs = findRuns(groupOf);
    // A table of sixteen values for each group pays where groups are no shorter.
    const byNibbles = bits === 4 && runs.every(({ count }) => count >= 16);
    const words = parts.part('codes').shape[1];
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.range('codes', firstRow * words * 4, rows * words * 4);
        const packed = new Uint32Array(bytes.buffer, bytes.byteOffset, rows * words);
        const codes = new Uint8Array(inputs);
        const nibbles = asNibbles(bytes);
        const values = new Float32Array(16);
        for (let row = 0; row < rows; row++) {
          if (!byNibbles) unpackRow(packed.subarray(row * words), bits, dense, codes);
          const stored = (firstRow + row) * groups;
          for (const { group, first, count } of runs) {
            const zero = middle + zeros[stored + group];
            const scale = scales[stored + group];
            const run = { code: first, at: row * inputs + first, count };
            if (byNibbles) {
              for (let each = 0; each < 16; each++) values[each] = (each - zero) * scale;
              lookUpNibbles(
                nibbles,
                values,
                false,
                { ...run, code: row * words * 8 + first },
                target,
              );
            } else scaleDifferences(codes, zero, scale, run, target);
          }
        }
      },
    };
  },
};
