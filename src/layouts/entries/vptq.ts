import type { StoredTensor } from '../../storage/container.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import {
  describeShape,
  presentParts,
  SCALE_TYPES,
  section,
  wholeNumber,
  type JsonObject,
} from './shared.js';

const { fround } = Math;

/** The second entry of a list of two: the first is for outlier columns. −1 means none. */
function pair(
  settings: JsonObject,
  key: string,
): { readonly outlier: number; readonly main: number } {
  const value = Object.hasOwn(settings, key) ? settings[key] : undefined;
  const [outlier, main] = Array.isArray(value) ? (value as unknown[]) : [];
  const count = (each: unknown) =>
    Number.isSafeInteger(each) && (each as number) > 0 ? (each as number) : 0;
  return { outlier: count(outlier), main: count(main) };
}

function findWeight(
  codes: StoredTensor,
  { find, quantization }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  const centroids = find(`${module}.centroids.weight`);
  if (!centroids) return undefined;
  const settings = section(section(quantization, 'config_for_layers'), module);
  const parts = presentParts({
    codes,
    centroids,
    residualCentroids: find(`${module}.res_centroids.weight`),
    residualCodes: find(`${module}.res_indices`),
    outlierCentroids: find(`${module}.outlier_centroids.weight`),
    outlierCodes: find(`${module}.outlier_indices`),
    order: find(`${module}.perm`),
    columnScales: find(`${module}.weight_scale`),
    columnBiases: find(`${module}.weight_bias`),
  });
  const vector = pair(settings, 'vector_lens');
  const count = pair(settings, 'num_centroids');
  const residualCount = pair(settings, 'num_res_centroids').main;
  const outputs = wholeNumber(settings, 'out_features');
  const groups = wholeNumber(settings, 'group_num');
  const groupSize = wholeNumber(settings, 'group_size');
  const outliers = wholeNumber(settings, 'outlier_size', 0) ?? 0;
  const refuse = (refusal: string): FoundWeight => ({
    name: `${module}.weight`,
    shape: codes.shape,
    parts,
    parameters: {},
    label: 'VPTQ',
    refusal,
  });
  if (!vector.main || !count.main || !outputs || !groups || !groupSize) {
    return refuse('config.json does not describe it in "config_for_layers"');
  }
  const inputs = groups * groupSize + outliers;
  if (count.main < 2) return refuse('its codebook has fewer than two centroids');
  const packed = codes.dtype === 'I32';
  const indexBits = Math.log2(count.main);
  const residualBits = residualCount > 0 ? Math.log2(residualCount) : 0;
  const rows = Math.ceil(outputs / vector.main);
  const perRow = packed ? Math.ceil((groupSize * (indexBits + residualBits)) / 32) : groupSize;
  const expected = [groups, rows, perRow];
  if (codes.shape.join() !== expected.join()) {
    return refuse(
      `indices of shape ${describeShape(codes.shape)} where ${describeShape(expected)} belongs`,
    );
  }
  if (!packed && codes.dtype !== 'I16') return refuse(`its indices are of type ${codes.dtype}`);
  if (packed && !(Number.isInteger(indexBits) && Number.isInteger(residualBits))) {
    return refuse('its indices are packed, but its numbers of centroids are no powers of two');
  }
  const sizes: readonly (readonly [StoredTensor | undefined, number, string])[] = [
    [centroids, groups * count.main * vector.main, 'centroids'],
    [
      parts.residualCentroids,
      residualCount > 0 ? groups * residualCount * vector.main : -1,
      'res_centroids',
    ],
    [
      packed ? undefined : parts.residualCodes,
      residualCount > 0 ? codes.elements : -1,
      'res_indices',
    ],
    [
      parts.outlierCentroids,
      outliers > 0 ? count.outlier * vector.outlier : -1,
      'outlier_centroids',
    ],
    [
      parts.outlierCodes,
      outliers > 0 ? Math.ceil(outputs / vector.outlier) * outliers : -1,
      'outlier_indices',
    ],
    [parts.order, inputs, 'perm'],
    [parts.columnScales, inputs, 'weight_scale'],
    [parts.columnBiases, inputs, 'weight_bias'],
  ];
  for (const [tensor, elements, name] of sizes) {
    if (tensor && elements >= 0 && tensor.elements !== elements) {
      return refuse(`its ${name} has ${tensor.elements} elements where ${elements} belong`);
    }
  }
  if (residualCount > 0 && (!parts.residualCentroids || (!packed && !parts.residualCodes))) {
    return refuse('the parts of its residual are missing');
  }
  if (outliers > 0 && (!parts.outlierCentroids || !parts.outlierCodes)) {
    return refuse('the parts of its outliers are missing');
  }
  return {
    name: `${module}.weight`,
    shape: [outputs, inputs],
    parts,
    parameters: {
      vectorLength: vector.main,
      centroids: count.main,
      residualCentroids: residualCount,
      groups,
      groupSize,
      outliers,
      outlierVectorLength: vector.outlier,
    },
    label: `VPTQ v${vector.main} k${count.main}${residualCount > 0 ? `+${residualCount}` : ''}`,
  };
}

/** Fields of `bits` bits of a packed row, the first in the lowest bits. */
function readField(words: Uint32Array, index: number, bits: number): number {
  const bit = index * bits;
  const word = bit >>> 5;
  const shift = bit & 31;
  let value = words[word] / 2 ** shift;
  if (shift + bits > 32) value += words[word + 1] * 2 ** (32 - shift);
  return Math.floor(value) % 2 ** bits;
}

/** VPTQ: vectors of consecutive outputs of one input, as places in a codebook (arXiv 2409.17066). */
export const vptq: Layout = {
  id: 'vptq',
  codes: { endsIn: ['.indices'] },
  partTypes: {
    centroids: SCALE_TYPES,
    residualCentroids: SCALE_TYPES,
    outlierCentroids: SCALE_TYPES,
    residualCodes: ['I16'],
    outlierCodes: ['I16'],
    order: ['I16', 'U16', 'I32', 'I64'],
    columnScales: SCALE_TYPES,
    columnBiases: SCALE_TYPES,
  },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const [outputs, inputs] = shape;
    const settings = parameters as Readonly<Record<string, number>>;
    const { vectorLength, groups, groupSize, outliers, outlierVectorLength } = settings;
    const optional = (role: string) => (parts.has(role) ? parts.values(role) : undefined);
    const centroids = await parts.values('centroids');
    const residual =
      settings.residualCentroids > 0 ? await parts.values('residualCentroids') : undefined;
    const outlierCentroids = outliers > 0 ? await parts.values('outlierCentroids') : undefined;
    const scales = await optional('columnScales');
    const biases = await optional('columnBiases');
    // Where each stored column stands in the weight.
    const order = Int32Array.from(
      (await optional('order')) ?? Array.from({ length: inputs }, (_, i) => i),
      (at) => at & 0xffff,
    );
    if (new Set(order).size !== inputs || order.some((at) => at >= inputs)) {
      throw parts.contradiction('order', `its perm is no order of ${inputs} inputs`);
    }
    const { dtype, shape: codesShape } = parts.part('codes');
    const [, vectors, perRow] = codesShape;
    const packed = dtype === 'I32';
    const indexBits = Math.log2(settings.centroids);
    const residualCount = residual ? settings.residualCentroids : Infinity;
    const fieldBits = indexBits + (residual ? Math.log2(settings.residualCentroids) : 0);

    /** Adds the centroids that the indices of some columns name. */
    const read = async (role: string, group: number, firstVector: number, count: number) => {
      const size = packed && role === 'codes' ? 4 : 2;
      const width = role === 'outlierCodes' ? outliers : perRow;
      const rows = role === 'outlierCodes' ? parts.part(role).shape[1] : vectors;
      return parts.range(role, (group * rows + firstVector) * width * size, count * width * size);
    };
    return {
      async decode(firstRow, rows, target) {
        const lastRow = firstRow + rows;
        const put = (row: number, column: number, value: number) => {
          if (row < firstRow || row >= lastRow) return;
          const at = order[column];
          const scaled = scales ? fround(fround(value * scales[at]) + (biases?.[at] ?? 0)) : value;
          target[(row - firstRow) * inputs + at] = scaled;
        };
        const firstVector = Math.floor(firstRow / vectorLength);
        const count = Math.ceil(lastRow / vectorLength) - firstVector;
        for (let group = 0; group < groups; group++) {
          const bytes = await read('codes', group, firstVector, count);
          const residualBytes =
            residual && !packed
              ? await read('residualCodes', group, firstVector, count)
              : undefined;
          const shorts = new Uint16Array(
            bytes.buffer,
            bytes.byteOffset,
            packed ? 0 : count * perRow,
          );
          const words = new Uint32Array(
            bytes.buffer,
            bytes.byteOffset,
            packed ? count * perRow : 0,
          );
          const residualShorts =
            residualBytes &&
            new Uint16Array(residualBytes.buffer, residualBytes.byteOffset, count * perRow);
          for (let vector = 0; vector < count; vector++) {
            const row = words.subarray(vector * perRow, (vector + 1) * perRow);
            for (let column = 0; column < groupSize; column++) {
              const at = vector * perRow + column;
              const field = packed ? readField(row, column, fieldBits) : shorts[at];
              const index = packed ? field % 2 ** indexBits : field;
              const residualIndex = packed
                ? Math.floor(field / 2 ** indexBits)
                : (residualShorts?.[at] ?? 0);
              if (index >= settings.centroids || residualIndex >= residualCount) {
                throw parts.contradiction('codes', 'an index names no centroid');
              }
              const main = (group * settings.centroids + index) * vectorLength;
              const rest = (group * settings.residualCentroids + residualIndex) * vectorLength;
              for (let part = 0; part < vectorLength; part++) {
                const value = centroids[main + part] + (residual ? residual[rest + part] : 0);
                const output = (firstVector + vector) * vectorLength + part;
                if (output < outputs)
                  put(output, outliers + group * groupSize + column, fround(value));
              }
            }
          }
        }
        if (!outlierCentroids) return;
        const firstOutlier = Math.floor(firstRow / outlierVectorLength);
        const outlierCount = Math.ceil(lastRow / outlierVectorLength) - firstOutlier;
        const bytes = await read('outlierCodes', 0, firstOutlier, outlierCount);
        const shorts = new Uint16Array(bytes.buffer, bytes.byteOffset, outlierCount * outliers);
        for (let i = 0; i < shorts.length; i++) {
          const vector = firstOutlier + Math.floor(i / outliers);
          if (shorts[i] * outlierVectorLength >= outlierCentroids.length) {
            throw parts.contradiction('outlierCodes', 'an index names no centroid');
          }
          for (let part = 0; part < outlierVectorLength; part++) {
            const value = outlierCentroids[shorts[i] * outlierVectorLength + part];
            put(vector * outlierVectorLength + part, i % outliers, value);
          }
        }
      },
    };
  },
};
