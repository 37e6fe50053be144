import type { StoredTensor } from '../../storage/container.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { decodeNibbles } from './fp4Packed.js';
import { describeShape, e8m0Value, EXPONENT_TYPES, presentParts, sameShape } from './shared.js';

const GROUP_SIZE = 32;

function findWeight(
  codes: StoredTensor,
  { find }: LayoutContext,
  name: string,
): FoundWeight | undefined {
  if (codes.shape.length !== 4) return undefined;
  const scales = find(`${name}_scales`);
  if (!scales) return undefined;
  const [experts, outputs, groups, bytes] = codes.shape;
  let refusal: string | undefined;
  if (bytes * 2 !== GROUP_SIZE) refusal = `blocks of ${bytes} bytes where 16 belong`;
  else if (!sameShape(scales.shape, codes.shape.slice(0, 3))) {
    refusal = `scales of shape ${describeShape(scales.shape)} where ${describeShape(codes.shape.slice(0, 3))} belongs`;
  }
  return {
    name,
    shape: [experts, outputs, groups * GROUP_SIZE],
    parts: presentParts({ codes, scales }),
    parameters: {},
    label: 'MXFP4 experts',
    refusal,
  };
}

/** Experts of gpt-oss in MXFP4: blocks [experts, outputs, inputs / 32, 16] and their powers of two. */
export const gptOss: Layout = {
  id: 'gpt-oss',
  codes: { types: ['U8'], endsIn: ['_blocks'] },
  partTypes: { scales: EXPONENT_TYPES },
  find: findWeight,
  async open({ shape }, parts) {
    const columns = shape[shape.length - 1];
    const groups = columns / GROUP_SIZE;
    const stored = await parts.bytes('scales');
    const scales = Float32Array.from(stored, e8m0Value);
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.range('codes', (firstRow * columns) / 2, (rows * columns) / 2);
        const ofRows = scales.subarray(firstRow * groups, (firstRow + rows) * groups);
        decodeNibbles(bytes, ofRows, { rows, columns, groupSize: GROUP_SIZE }, target);
      },
    };
  },
};
