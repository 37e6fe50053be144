import type { StoredTensor } from '../../storage/container.js';
import { asNibbles, lookUpNibbles } from '../loops.js';
import type { FoundWeight, Layout, LayoutContext } from '../layout.js';
import { countElements } from '../partReader.js';
import {
  describeShape,
  presentParts,
  SCALE_TYPES,
  section,
  wholeNumber,
  type JsonObject,
} from './shared.js';

const { fround } = Math;

/** Before the kind in the name of the tensor that says how codes are to be read. */
const STATE = '.quant_state.bitsandbytes__';

const KINDS = ['nf4', 'fp4'];

/**
 * A tensor with nibbles, and what it takes to read them beside it. The bytes of the nibbles may be stored
 * as a tensor of any type (`bnb_4bit_quant_storage`), so weights are found by the state, which is named.
 */
async function findWeight(
  tensor: StoredTensor,
  { find, read }: LayoutContext,
): Promise<FoundWeight | undefined> {
  const kind = KINDS.find((each) => tensor.name.endsWith(`${STATE}${each}`));
  const state = kind === undefined ? undefined : tensor;
  const codes = state ? find(tensor.name.slice(0, -`${STATE}${kind}`.length)) : tensor;
  const part = (suffix: string) => find(`${codes?.name}.${suffix}`);
  const absmax = part('absmax');
  if (!codes || !absmax) return undefined;
  // Found by its state.
  if (!state && KINDS.some((each) => find(`${codes.name}${STATE}${each}`))) return undefined;
  const map = part('quant_map');
  const nestedAbsmax = part('nested_absmax');
  const nestedMap = part('nested_quant_map');
  const parts = presentParts({ codes, absmax, map, nestedAbsmax, nestedMap, state });
  const refuse = (refusal: string): FoundWeight => ({
    name: codes.name,
    shape: codes.shape,
    parts,
    parameters: {},
    label: 'bitsandbytes 4-bit',
    refusal,
  });
  if (!state || kind === undefined) return refuse('its quant_state is missing');
  let fields: JsonObject;
  try {
    fields = section(
      { state: JSON.parse(new TextDecoder().decode(await read(state))) as unknown },
      'state',
    );
  } catch {
    return refuse('its quant_state is not JSON');
  }
  const { shape } = fields;
  const blockSize = wholeNumber(fields, 'blocksize');
  if (!Array.isArray(shape) || !shape.every((each) => Number.isSafeInteger(each) && each > 0)) {
    return refuse('its quant_state has no shape');
  }
  const decoded = shape as readonly number[];
  const elements = countElements(decoded);
  if (blockSize === undefined) return refuse('its quant_state has no block size');
  if (Math.ceil(elements / 2) !== codes.bytes) {
    return refuse(
      `its quant_state says ${describeShape(decoded)}, but there are ${codes.bytes} bytes of codes`,
    );
  }
  if (absmax.elements !== Math.ceil(elements / blockSize)) {
    return refuse(
      `${absmax.elements} block maxima are not those of ${elements} weights in blocks of ${blockSize}`,
    );
  }
  if (map?.dtype !== 'F32' || map.elements !== 16) return refuse('its map of 16 values is missing');
  const nestedBlockSize = wholeNumber(fields, 'nested_blocksize') ?? 256;
  if (absmax.dtype === 'U8') {
    if (nestedMap?.elements !== 256 || !nestedAbsmax)
      return refuse('the parts of its nested scales are missing');
    if (nestedAbsmax.elements !== Math.ceil(absmax.elements / nestedBlockSize)) {
      return refuse(
        `${nestedAbsmax.elements} nested maxima are not those of ${absmax.elements} scales`,
      );
    }
  }
  const offset = fields.nested_offset ?? 0;
  if (!Number.isFinite(offset)) return refuse('its nested_offset is no number');
  return {
    name: codes.name,
    shape: decoded,
    parts,
    parameters: {
      blockSize,
      nestedBlockSize,
      nestedOffset: offset as number,
    },
    label: `bitsandbytes ${kind.toUpperCase()} g${blockSize}${nestedAbsmax ? ', nested scales' : ''}`,
  };
}

/** NF4 and FP4 of bitsandbytes: the first of two elements in the HIGH half of a byte, blocks of the flat tensor. */
export const bitsandbytes4bit: Layout = {
  id: 'bitsandbytes-4bit',
  codes: { types: ['U8'], endsIn: ['.weight', ...KINDS.map((kind) => `${STATE}${kind}`)] },
  partTypes: {
    absmax: [...SCALE_TYPES, 'U8'],
    nestedAbsmax: SCALE_TYPES,
    nestedMap: SCALE_TYPES,
  },
  find: findWeight,
  async open({ shape, parameters }, parts) {
    const { blockSize, nestedBlockSize, nestedOffset } = parameters as Readonly<
      Record<string, number>
    >;
    const columns = shape[shape.length - 1];
    const map = await parts.values('map');
    let maxima = await parts.values('absmax');
    if (parts.part('absmax').dtype === 'U8') {
      const nestedMap = await parts.values('nestedMap');
      const nested = await parts.values('nestedAbsmax');
      maxima = maxima.map((code, i) =>
        fround(fround(nestedMap[code] * nested[Math.floor(i / nestedBlockSize)]) + nestedOffset),
      );
    }
    return {
      async decode(firstRow, rows, target) {
        const first = firstRow * columns;
        const count = rows * columns;
        const firstByte = first >>> 1;
        const bytes = await parts.range(
          'codes',
          firstByte,
          Math.ceil((first + count) / 2) - firstByte,
        );
        const nibbles = asNibbles(bytes);
        const values = new Float32Array(16);
        let at = 0;
        while (at < count) {
          const block = Math.floor((first + at) / blockSize);
          const scale = maxima[block];
          const end = Math.min(count, (block + 1) * blockSize - first);
          for (let code = 0; code < 16; code++) values[code] = map[code] * scale;
          const run = { code: first + at - firstByte * 2, at, count: end - at };
          lookUpNibbles(nibbles, values, true, run, target);
          at = end;
        }
      },
    };
  },
};

function findInt8(
  codes: StoredTensor,
  { find }: LayoutContext,
  module: string,
): FoundWeight | undefined {
  const maxima = find(`${module}.SCB`);
  if (!maxima || codes.shape.length !== 2) return undefined;
  const [rows] = codes.shape;
  return {
    name: codes.name,
    shape: codes.shape,
    parts: presentParts({ codes, maxima, format: find(`${module}.weight_format`) }),
    parameters: {},
    label: 'bitsandbytes INT8 per channel',
    refusal:
      maxima.elements === rows ? undefined : `${maxima.elements} row maxima (SCB) for ${rows} rows`,
  };
}

/** LLM.int8() of bitsandbytes: rows of codes, each times the row's largest magnitude over 127. */
export const bitsandbytesInt8: Layout = {
  id: 'bitsandbytes-int8',
  codes: { types: ['I8'], endsIn: ['.weight'] },
  partTypes: { maxima: SCALE_TYPES },
  find: findInt8,
  async open({ shape }, parts) {
    const columns = shape[shape.length - 1];
    const maxima = await parts.values('maxima');
    return {
      async decode(firstRow, rows, target) {
        const bytes = await parts.range('codes', firstRow * columns, rows * columns);
        const codes = new Int8Array(bytes.buffer, bytes.byteOffset, rows * columns);
        for (let row = 0; row < rows; row++) {
          const largest = maxima[firstRow + row];
          const end = (row + 1) * columns;
          for (let at = row * columns; at < end; at++)
            target[at] = fround((codes[at] * largest) / 127);
        }
      },
    };
  },
};
