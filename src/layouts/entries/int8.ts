import type { StoredTensor } from '../../storage/container.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { scaleDifferences } from '../loops.js';
import { findScaleBlocks } from './float8.js';
import { describeGroup, describeShape, presentParts, SCALE_TYPES, sameShape } from './shared.js';

function findWeight(
  codes: StoredTensor,
  { find }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (codes.shape.length < 2) return undefined;
  const scales = find(`${module}.weight_scale`);
  if (!scales) return undefined;
  const zeros = find(`${module}.weight_zero_point`);
  const columns = codes.shape[codes.shape.length - 1];
  const rows = codes.elements / Math.max(1, columns);
  const blocks = findScaleBlocks(rows, columns, scales.shape, undefined);
  let refusal: string | undefined;
  if (!blocks || (blocks.blockRows !== 1 && blocks.blockRows < rows)) {
    refusal = `scales of shape ${describeShape(scales.shape)} do not say which weights they belong to`;
  } else if (zeros && !sameShape(zeros.shape, scales.shape)) {
    refusal = `zero points have shape ${describeShape(zeros.shape)}, scales ${describeShape(scales.shape)}`;
  }
  const group =
    blocks && blocks.blockRows >= rows
      ? 'per tensor'
      : describeGroup(blocks?.blockColumns ?? columns, columns);
  return {
    name: codes.name,
    shape: codes.shape,
    parts: presentParts({ codes, scales, zeros, inputScale: find(`${module}.input_scale`) }),
    parameters: { ...(blocks ?? {}) },
    label: `INT8 ${group}${zeros ? ', zero points' : ''}`,
    refusal,
  };
}

/** INT8 with scales and, where asymmetric, zero points (compressed-tensors, int-quantized). */
export const int8: Layout = {
  id: 'int8',
  codes: { types: ['I8'], endsIn: ['.weight'] },
  partTypes: { scales: SCALE_TYPES, zeros: [...SCALE_TYPES, 'I8', 'U8', 'I16', 'I32', 'I64'] },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const columns = shape[shape.length - 1];
    const { blockRows, blockColumns } = parameters as Readonly<Record<string, number>>;
    const scales = await parts.values('scales');
    const zeros = parts.has('zeros') ? await parts.values('zeros') : undefined;
    const scalesPerRow = Math.ceil(columns / blockColumns);
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.range('codes', firstRow * columns, rows * columns);
        const codes = new Int8Array(bytes.buffer, bytes.byteOffset, rows * columns);
        for (let row = 0; row < rows; row++) {
          const firstScale = Math.floor((firstRow + row) / blockRows) * scalesPerRow;
          const end = (row + 1) * columns;
          let at = row * columns;
          for (let block = 0; block < scalesPerRow; block++) {
            const scale = scales[firstScale + block];
            const zero = zeros ? zeros[firstScale + block] : 0;
            const blockEnd = Math.min(end, at + blockColumns);
            const run = { code: at, at, count: blockEnd - at };
            scaleDifferences(codes, zero, scale, run, target);
            at = blockEnd;
          }
        }
      },
    };
  },
};
