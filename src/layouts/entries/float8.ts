import type { StoredTensor } from '../../storage/container.js';
import { decodeElements } from '../../storage/elementValues.js';
import type { ElementTypeName } from '../../storage/elementTypes.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { lookUpBlock, scaleBlock } from '../loops.js';
import {
  describeShape,
  e8m0Value,
  EXPONENT_TYPES,
  presentParts,
  SCALE_TYPES,
  text,
} from './shared.js';

const FLOAT8: readonly ElementTypeName[] = ['F8_E4M3', 'F8_E5M2', 'F8_E4M3FNUZ', 'F8_E5M2FNUZ'];

/** Methods of which every FP8 weight has a scale. */
const SCALED_METHODS: ReadonlySet<string> = new Set([
  ...['fp8', 'fbgemm_fp8', 'compressed-tensors', 'modelopt'],
]);

/** What others call the scale that a weight is multiplied by; "_inv" of DeepSeek is one of them. */
const SCALE_NAMES = ['.weight_scale_inv', '.weight_scale', '.scale_weight', '.scale'];

/** Scales of activations: they say how inputs are rounded, which is left out. */
const INPUT_SCALE_NAMES = ['.input_scale', '.scale_input', '.activation_scale'];

/** Weights of a block from which on a table of the 256 values, times the scale, pays. */
const PAYS_FOR_TABLE = 1024;

/** Blocks of both dimensions that share a scale. */
export interface ScaleBlocks {
  readonly blockRows: number;
  readonly blockColumns: number;
}

/** How scales of a shape belong to weights; undefined where that cannot be told. */
export function findScaleBlocks(
  rows: number,
  columns: number,
  scale: readonly number[],
  configured: unknown,
): ScaleBlocks | undefined {
  const elements = scale.reduce((product, dimension) => product * dimension, 1);
  if (elements === 1) return { blockRows: rows, blockColumns: columns };
  if (elements === rows && (scale.length === 1 || scale.at(-1) === 1)) {
    return { blockRows: 1, blockColumns: columns };
  }
  if (scale.length !== 2) return undefined;
  const fits = (blockRows: number, blockColumns: number) =>
    Math.ceil(rows / blockRows) === scale[0] && Math.ceil(columns / blockColumns) === scale[1];
  const sizes = Array.isArray(configured) ? (configured as unknown[]) : [];
  const [blockRows, blockColumns] = sizes;
  const given = [blockRows, blockColumns].every(
    (size) => Number.isSafeInteger(size) && (size as number) > 0,
  );
  if (given && fits(blockRows as number, blockColumns as number)) {
    return { blockRows: blockRows as number, blockColumns: blockColumns as number };
  }
  // What is written without a configuration has blocks of 128 in practice.
  if (!given && fits(128, 128)) return { blockRows: 128, blockColumns: 128 };
  if (given || rows % scale[0] !== 0 || columns % scale[1] !== 0) return undefined;
  return { blockRows: rows / scale[0], blockColumns: columns / scale[1] };
}

function describeBlocks({ blockRows, blockColumns }: ScaleBlocks, rows: number, columns: number) {
  if (blockRows >= rows && blockColumns >= columns) return 'scale per tensor';
  if (blockRows === 1 && blockColumns >= columns) return 'scale per channel';
  return blockRows === 1 ? `g${blockColumns}` : `blocks of ${blockRows} × ${blockColumns}`;
}

function findFirst(context: LayoutContext, module: string, suffixes: readonly string[]) {
  return suffixes.map((suffix) => context.find(module + suffix)).find((tensor) => tensor);
}

function findWeight(
  codes: StoredTensor,
  context: LayoutContext,
  module: string,
): FoundWeight | undefined {
  if (codes.shape.length < 2) return undefined;
  const scales = findFirst(context, module, SCALE_NAMES);
  if (!scales) {
    // Without a configuration that says otherwise, such weights are what they are.
    if (!SCALED_METHODS.has(text(context.quantization, 'quant_method') ?? '')) return undefined;
    return {
      ...{ name: codes.name, shape: codes.shape, parts: { codes }, parameters: {} },
      ...{ label: 'FP8', refusal: 'its scale (weight_scale or weight_scale_inv) is missing' },
    };
  }
  const columns = codes.shape[codes.shape.length - 1];
  const rows = codes.elements / Math.max(1, columns);
  const exponents = scales.dtype === 'U8' || scales.dtype === 'F8_E8M0';
  const blocks = findScaleBlocks(
    rows,
    columns,
    scales.shape,
    context.quantization.weight_block_size,
  );
  const kind = codes.dtype.replace('F8_', '');
  const label = blocks
    ? `FP8 ${kind}, ${describeBlocks(blocks, rows, columns)}${exponents ? ' (powers of two)' : ''}`
    : `FP8 ${kind} with scales`;
  return {
    name: codes.name,
    shape: codes.shape,
    parts: presentParts({
      codes,
      scales,
      inputScale: findFirst(context, module, INPUT_SCALE_NAMES),
    }),
    parameters: { ...(blocks ?? {}) },
    label,
    refusal: blocks
      ? undefined
      : `scales of shape ${describeShape(scales.shape)} do not say which weights they belong to`,
  };
}

/** FP8 with a scale per tensor, channel or block (compressed-tensors, DeepSeek, ComfyUI, MXFP8). */
export const float8: Layout = {
  id: 'float8',
  codes: { types: FLOAT8, endsIn: ['.weight'] },
  partTypes: { scales: [...SCALE_TYPES, ...EXPONENT_TYPES] },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const { dtype } = parts.part('codes');
    const columns = shape[shape.length - 1];
    const { blockRows, blockColumns } = parameters as Readonly<Record<string, number>>;
    const stored = await parts.values('scales');
    const scales = parts.part('scales').dtype === 'U8' ? stored.map(e8m0Value) : stored;
    const scalesPerRow = Math.ceil(columns / blockColumns);
    const values = new Float32Array(256);
    decodeElements(
      dtype,
      Uint8Array.from(values, (_, code) => code),
      values,
    );
    return {
      async decode(firstRow, rows, target) {
        const codes = await parts.range('codes', firstRow * columns, rows * columns);
        const scaled = new Float32Array(256);
        for (let row = 0; row < rows;) {
          const blockRow = Math.floor((firstRow + row) / blockRows);
          const rowsOfBlock = Math.min(rows, (blockRow + 1) * blockRows - firstRow) - row;
          for (let column = 0, at = blockRow * scalesPerRow; column < columns; at++) {
            const count = Math.min(columns - column, blockColumns);
            const first = row * columns + column;
            const block = { at: first, count, rows: rowsOfBlock, stride: columns };
            if (count * rowsOfBlock < PAYS_FOR_TABLE) {
              scaleBlock(codes, values, scales[at], block, target);
            } else {
              for (let code = 0; code < 256; code++) scaled[code] = values[code] * scales[at];
              lookUpBlock(codes, scaled, block, target);
            }
            column += count;
          }
          row += rowsOfBlock;
        }
      },
    };
  },
};
