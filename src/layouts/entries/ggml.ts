import type { StoredTensor } from '../../storage/container.js';
import { ELEMENT_TYPES, type ElementTypeName } from '../../storage/elementTypes.js';
import { decodeElements } from '../../storage/elementValues.js';
import { BLOCK_DECODERS, type BlockDecoder } from '../ggmlBlocks.js';
import type { FoundWeight, Layout, LayoutContext, RowDecoder } from '../layout.js';
import type { PartReader } from '../partReader.js';
import { presentParts } from './shared.js';

/** Rows are decoded whole; no model has longer ones. */
const MAX_COLUMNS = 1 << 24;

/** Rows that lie further apart than this many times their number are read one by one. */
const MAX_SPREAD = 4;

type Parameters = FoundWeight['parameters'];

function findWeight(tensor: StoredTensor, { find }: LayoutContext): FoundWeight | undefined {
  const { encoding, name, dtype } = tensor;
  if (encoding?.layout !== 'ggml') return undefined;
  const { label, shape, parameters } = encoding;
  const scale =
    label === 'NVFP4' && name.endsWith('.weight')
      ? find(name.replace(/weight$/, 'scale'))
      : undefined;
  const isBlocks = dtype === 'U8';
  let refusal: string | undefined;
  if (isBlocks && !BLOCK_DECODERS.has(label)) refusal = `blocks of ${label} are not decoded`;
  else if (scale && (scale.dtype !== 'F32' || scale.elements !== 1)) {
    refusal = 'its scale is not one number of type F32';
  } else if ((shape.at(-1) ?? 1) > MAX_COLUMNS) {
    refusal = `its rows are longer than ${MAX_COLUMNS} weights`;
  } else refusal = whyNotReordered(shape, parameters);
  return {
    name,
    shape,
    parts: presentParts({ codes: tensor, scale }),
    parameters: { ...parameters, plain: isBlocks ? '' : dtype },
    label: isBlocks ? label : `${label} as llama.cpp ${describe(parameters)}`,
    refusal,
  };
}

function describe({ rowOrder }: Parameters): string {
  return rowOrder === undefined ? 'adds to it' : 'orders its rows';
}

/** Why the order of rows cannot be undone. Of tensors with one dimension, elements are what rows are of others. */
function whyNotReordered(
  shape: readonly number[],
  { rowOrder, heads }: Parameters,
): string | undefined {
  if (rowOrder === undefined) return undefined;
  if (shape.length < 1 || shape.length > 2) return `it has ${shape.length} dimensions`;
  const unit = Number(heads) * (rowOrder === 'fused' ? 3 : 2);
  if (unit > 0 && shape[0] % unit === 0) return undefined;
  return `its ${shape[0]} rows do not belong to ${String(heads)} heads`;
}

/** Where the row of a weight stands in the file. */
function makeRowOrder(rows: number, { rowOrder, heads }: Parameters): (row: number) => number {
  const perHead = rows / Number(heads);
  if (rowOrder === 'interleaved') {
    const half = perHead / 2;
    return (row) => {
      const within = row % perHead;
      return row - within + 2 * (within % half) + (within < half ? 0 : 1);
    };
  }
  // Head by head its query, key and value; in the file all queries, all keys, all values.
  const size = perHead / 3;
  return (row) => {
    const head = Math.floor(row / perHead);
    const within = row % perHead;
    return Math.floor(within / size) * (rows / 3) + head * size + (within % size);
  };
}

/** Decodes rows as they stand in the file. */
function makeStoredDecoder(
  columns: number,
  { type, plain }: Parameters,
  parts: PartReader,
): RowDecoder {
  if (plain !== '') {
    const dtype = plain as ElementTypeName;
    const rowBytes = columns * ELEMENT_TYPES[dtype].bytesPerBlock;
    return {
      async decode(first, rows, target) {
        decodeElements(
          dtype,
          await parts.range('codes', first * rowBytes, rows * rowBytes),
          target,
        );
      },
    };
  }
  const decoder = BLOCK_DECODERS.get(String(type))!;
  const rowBytes = (columns / decoder.blockSize) * decoder.blockBytes;
  return {
    async decode(first, rows, target) {
      decodeBlocks(decoder, await parts.range('codes', first * rowBytes, rows * rowBytes), target);
    },
  };
}

function decodeBlocks(
  { blockSize, blockBytes, decode }: BlockDecoder,
  bytes: Uint8Array,
  target: Float32Array,
): void {
  for (let block = 0; block * blockBytes < bytes.length; block++) {
    const packed = bytes.subarray(block * blockBytes, (block + 1) * blockBytes);
    decode(packed, target.subarray(block * blockSize, (block + 1) * blockSize));
  }
}

/** Puts the rows of a weight in their order again. */
function inOrder(
  stored: RowDecoder,
  columns: number,
  placeOf: (row: number) => number,
): RowDecoder {
  return {
    async decode(first, rows, target) {
      const places = Array.from({ length: rows }, (_, i) => placeOf(first + i));
      const least = places.reduce((a, b) => Math.min(a, b));
      const most = places.reduce((a, b) => Math.max(a, b));
      const span = most - least + 1;
      const together = span <= rows * MAX_SPREAD;
      const scratch = new Float32Array((together ? span : 1) * columns);
      if (together) await stored.decode(least, span, scratch);
      for (const [i, place] of places.entries()) {
        if (!together) await stored.decode(place, 1, scratch);
        const from = together ? (place - least) * columns : 0;
        target.set(scratch.subarray(from, from + columns), i * columns);
      }
    },
  };
}

/** The elements of a tensor of one dimension, such as a bias, in their order again. */
function elementsInOrder(stored: RowDecoder, placeOf: (row: number) => number): RowDecoder {
  return {
    async decode(first, rows, target) {
      const scratch = new Float32Array(target.length);
      await stored.decode(first, rows, scratch);
      for (let i = 0; i < target.length; i++) target[i] = scratch[placeOf(i)];
    },
  };
}

/**
 * Tensors of GGUF files: blocks of codes, and what converting did to tensors of any type (rows of queries
 * and keys in another order, norms with 1 added), which is undone.
 */
export const ggml: Layout = {
  id: 'ggml',
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const columns = shape.at(-1) ?? 1;
    let decoder = makeStoredDecoder(columns, parameters, parts);
    if (parameters.rowOrder !== undefined) {
      const placeOf = makeRowOrder(shape[0], parameters);
      decoder =
        shape.length === 1 ? elementsInOrder(decoder, placeOf) : inOrder(decoder, columns, placeOf);
    }
    const factor = parts.has('scale') ? (await parts.values('scale'))[0] : 1;
    const added = Number(parameters.added ?? 0);
    if (factor === 1 && added === 0) return decoder;
    return {
      async decode(first, rows, target) {
        await decoder.decode(first, rows, target);
        for (let i = 0; i < target.length; i++) {
          target[i] = Math.fround(target[i] * factor) - added;
        }
      },
    };
  },
};
