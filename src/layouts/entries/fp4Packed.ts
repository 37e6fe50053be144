import type { StoredTensor } from '../../storage/container.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { describeShape, e8m0Value, E2M1_VALUES, presentParts, SCALE_TYPES } from './shared.js';

const { fround } = Math;

function findWeight(
  codes: StoredTensor,
  { find }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (codes.shape.length < 2) return undefined;
  const scales = find(`${module}.weight_scale`);
  if (!scales) return undefined;
  // One divides by what the other multiplies with.
  const divisor = codes.name.endsWith('_packed')
    ? find(`${module}.weight_global_scale`)
    : undefined;
  const factor = find(`${module}.weight_scale_2`);
  const mx = scales.dtype === 'U8' || scales.dtype === 'F8_E8M0';
  if (!mx && scales.dtype !== 'F8_E4M3') return undefined;
  const shape = [...codes.shape.slice(0, -1), codes.shape[codes.shape.length - 1] * 2];
  const groupSize = mx ? 32 : 16;
  const columns = shape[shape.length - 1];
  const expected = [...shape.slice(0, -1), Math.ceil(columns / groupSize)];
  let refusal: string | undefined;
  if (scales.shape.join() !== expected.join()) {
    refusal = `scales of shape ${describeShape(scales.shape)} where ${describeShape(expected)} belongs`;
  } else if (!mx && !divisor && !factor) {
    refusal = 'the scale of the whole tensor (weight_global_scale or weight_scale_2) is missing';
  } else if ([divisor, factor].some((scale) => scale && scale.elements !== 1)) {
    refusal = 'the scale of the whole tensor is more than one number';
  }
  return {
    name: `${module}.weight`,
    shape,
    parts: presentParts({
      codes,
      scales,
      divisor: mx ? undefined : divisor,
      factor: mx || divisor ? undefined : factor,
      inputScale: find(`${module}.input_global_scale`) ?? find(`${module}.input_scale`),
    }),
    parameters: { groupSize },
    label: mx ? 'MXFP4' : `NVFP4${divisor ? '' : ' (ModelOpt)'}`,
    refusal,
  };
}

/** 4-bit floats, two to a byte: NVFP4 of compressed-tensors and ModelOpt, MXFP4 of compressed-tensors. */
export const fp4Packed: Layout = {
  id: 'fp4-packed',
  codes: { types: ['U8'], endsIn: ['.weight_packed', '.weight'] },
  partTypes: { divisor: SCALE_TYPES, factor: SCALE_TYPES },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const columns = shape[shape.length - 1];
    const groupSize = Number(parameters.groupSize);
    const stored = await parts.values('scales');
    const byByte = parts.part('scales').dtype === 'U8';
    const [divisor] = parts.has('divisor') ? await parts.values('divisor') : [1];
    const [factor] = parts.has('factor') ? await parts.values('factor') : [1];
    const scales = stored.map((scale) =>
      fround(((byByte ? e8m0Value(scale) : scale) * factor) / divisor),
    );
    const groups = Math.ceil(columns / groupSize);
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.range('codes', (firstRow * columns) / 2, (rows * columns) / 2);
        decodeNibbles(
          bytes,
          scales.subarray(firstRow * groups),
          { rows, columns, groupSize },
          target,
        );
      },
    };
  },
};

/** Rows of 4-bit floats, the even element in the low half of a byte, each group with its scale. */
export function decodeNibbles(
  bytes: Uint8Array,
  scales: Float32Array,
  {
    rows,
    columns,
    groupSize,
  }: { readonly rows: number; readonly columns: number; readonly groupSize: number },
  target: Float32Array,
): void {
  const groups = Math.ceil(columns / groupSize);
  for (let row = 0; row < rows; row++) {
    let at = row * columns;
    for (let group = 0; group < groups; group++) {
      const scale = scales[row * groups + group];
      const end = Math.min((row + 1) * columns, at + groupSize);
      for (; at < end; at += 2) {
        const pair = bytes[at >>> 1];
        target[at] = fround(E2M1_VALUES[pair & 15] * scale);
        target[at + 1] = fround(E2M1_VALUES[pair >>> 4] * scale);
      }
    }
  }
}
