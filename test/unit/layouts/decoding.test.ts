import { describe, expect, test } from 'vitest';
import type { QuantizationConfig } from '../../../src/layouts/layout.js';
import { openStoredSources } from '../../../src/layouts/node/openStored.js';
import { findStoredWeights } from '../../../src/layouts/storedWeights.js';
import { makeMemorySource } from '../../../src/storage/byteSource.js';
import type { StoredTensor } from '../../../src/storage/container.js';
import { countStoredBytes, type ElementTypeName } from '../../../src/storage/elementTypes.js';

/** A tensor of a file that a test makes up: its element type, shape and bytes. */
type Made = readonly [dtype: ElementTypeName, shape: readonly number[], bytes: ArrayBufferView];

/** Finds the one weight of a file, and reads it as a job does. */
async function decode(made: Readonly<Record<string, Made>>, quantization: QuantizationConfig = {}) {
  const chunks: Uint8Array[] = [];
  let end = 0;
  const tensors = Object.entries(made).map(([name, [dtype, shape, view]]): StoredTensor => {
    const bytes = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
    const elements = shape.reduce((product, dimension) => product * dimension, 1);
    expect(bytes.length, name).toBe(countStoredBytes(dtype, elements));
    const offset = end;
    end += bytes.length;
    chunks.push(bytes);
    return { name, file: 'x', dtype, shape, offset, bytes: bytes.length, elements };
  });
  const file = new Uint8Array(new SharedArrayBuffer(end));
  tensors.forEach(({ offset }, index) => file.set(chunks[index], offset));
  const source = makeMemorySource('x', file).ref;
  const found = await findStoredWeights(
    tensors,
    () => source,
    async () => quantization,
    async ({ offset, bytes }) => file.slice(offset, offset + bytes),
  );
  const [weight] = found.weightOf.values();
  const sources = openStoredSources();
  const read = async (first: number, count: number) => {
    const values = new Float32Array(count);
    await sources.read(weight.source, first * 4, new Uint8Array(values.buffer));
    return values;
  };
  return { found, weight, read };
}

/** The whole weight, after checking that any part of it reads the same. */
async function valuesOf(...parameters: Parameters<typeof decode>) {
  const { found, weight, read } = await decode(...parameters);
  expect([...found.refused.values()]).toEqual([]);
  const whole = await read(0, weight.elements);
  for (const [first, count] of [
    [0, 1],
    [weight.elements - 1, 1],
    [3, weight.elements - 5],
    [Math.floor(weight.elements / 2), Math.ceil(weight.elements / 3)],
  ]) {
    expect(await read(first, count)).toEqual(whole.slice(first, first + count));
  }
  return { values: whole, weight };
}

const numbers = (count: number, value: (index: number) => number) =>
  Array.from({ length: count }, (_, index) => value(index));
const matrix = (rows: number, columns: number, value: (row: number, column: number) => number) =>
  Float32Array.from({ length: rows * columns }, (_, at) =>
    Math.fround(value(Math.floor(at / columns), at % columns)),
  );
/** Any code of so many bits, each about as often. */
const codeAt = (bits: number) => (row: number, column: number) =>
  ((row * 31 + column * 17 + (row ^ column)) >>> 0) % 2 ** bits;

/** Codes of rows without gaps, the first in the lowest bits. */
function packDense(rows: number, columns: number, bits: number, code: ReturnType<typeof codeAt>) {
  const words = Math.ceil((columns * bits) / 32);
  const packed = new Uint32Array(rows * words);
  for (let row = 0; row < rows; row++) {
    let pending = 0n;
    for (let column = columns - 1; column >= 0; column--) {
      pending = (pending << BigInt(bits)) | BigInt(code(row, column));
    }
    for (let word = 0; word < words; word++) {
      packed[row * words + word] = Number((pending >> BigInt(32 * word)) & 0xffffffffn);
    }
  }
  return { packed, words };
}

describe('compressed-tensors, packed', () => {
  test.each([2, 3, 4, 5, 6, 7, 8])('%i bits, dense, with zero points and groups', async (bits) => {
    const [rows, columns, group] = [33, 70, 35];
    const code = codeAt(bits);
    const zero = codeAt(bits);
    const { packed, words } = packDense(rows, columns, bits, code);
    const zeros = packDense(2, rows, bits, (g, row) => zero(row, g));
    // Zero points are packed along the outputs: transposed.
    const stored = new Uint32Array(zeros.packed.length);
    for (let word = 0; word < zeros.words; word++) {
      for (let g = 0; g < 2; g++) stored[word * 2 + g] = zeros.packed[g * zeros.words + word];
    }
    const scale = (row: number, g: number) => (row + 1) / 64 + g;
    const quantization = {
      config_groups: { group_0: { weights: { num_bits: bits, group_size: group } } },
    };
    const { values, weight } = await valuesOf(
      {
        'm.weight_packed': ['I32', [rows, words], packed],
        'm.weight_scale': ['F32', [rows, 2], matrix(rows, 2, scale)],
        'm.weight_shape': ['I64', [2], BigInt64Array.of(BigInt(rows), BigInt(columns))],
        'm.weight_zero_point': ['I32', [zeros.words, 2], stored],
      },
      quantization,
    );
    expect([weight.name, weight.shape]).toEqual(['m.weight', [rows, columns]]);
    const expected = matrix(rows, columns, (row, column) => {
      const g = Math.floor(column / group);
      return (code(row, column) - zero(row, g)) * scale(row, g);
    });
    expect(values).toEqual(expected);
  });

  test('three bits with codes within words, as until 2026', async () => {
    const [rows, columns] = [4, 64];
    const code = codeAt(3);
    const words = Math.ceil(columns / 10);
    const packed = new Uint32Array(rows * words);
    for (let row = 0; row < rows; row++) {
      for (let column = 0; column < columns; column++) {
        packed[row * words + Math.floor(column / 10)] |= code(row, column) << ((column % 10) * 3);
      }
    }
    const { values, weight } = await valuesOf(
      {
        'm.weight_packed': ['I32', [rows, words], packed],
        'm.weight_scale': ['F32', [rows, 1], matrix(rows, 1, (row) => row + 1)],
        'm.weight_shape': ['I64', [2], BigInt64Array.of(BigInt(rows), BigInt(columns))],
      },
      { config_groups: { group_0: { weights: { num_bits: 3 } } } },
    );
    expect(weight.storage.label).toMatch(/3-bit per channel, codes within words/);
    expect(values).toEqual(
      matrix(rows, columns, (row, column) => (code(row, column) - 4) * (row + 1)),
    );
  });
});

const E2M1 = [0, 0.5, 1, 1.5, 2, 3, 4, 6, -0, -0.5, -1, -1.5, -2, -3, -4, -6];
const nibbles = (count: number, code: (index: number) => number) =>
  Uint8Array.from(numbers(count / 2, (i) => code(2 * i) | (code(2 * i + 1) << 4)));

describe('four-bit floats', () => {
  const [rows, columns] = [3, 64];
  const code = (at: number) => (at * 7) % 16;
  const codes: Made = ['U8', [rows, columns / 2], nibbles(rows * columns, code)];
  const scales = Uint8Array.from(numbers((rows * columns) / 16, (i) => 0x30 + (i % 16)));
  const e4m3 = (byte: number) => 2 ** ((byte >> 3) - 7) * (1 + (byte & 7) / 8);
  const scaleBytes: Made = ['F8_E4M3', [rows, columns / 16], scales];
  const value = (factor: number) => (row: number, column: number) => {
    const scale = Math.fround(e4m3(scales[(row * columns + column) >> 4]) * factor);
    return Math.fround(E2M1[code(row * columns + column)] * scale);
  };

  test('NVFP4 of compressed-tensors divides by its global scale', async () => {
    const { values, weight } = await valuesOf({
      'm.weight_packed': codes,
      'm.weight_scale': scaleBytes,
      'm.weight_global_scale': ['F32', [1], Float32Array.of(4)],
    });
    expect(weight.storage.label).toBe('NVFP4');
    expect(values).toEqual(matrix(rows, columns, value(1 / 4)));
  });

  test('NVFP4 of ModelOpt multiplies with it', async () => {
    const { values } = await valuesOf({
      'm.weight': codes,
      'm.weight_scale': scaleBytes,
      'm.weight_scale_2': ['F32', [], Float32Array.of(0.125)],
    });
    expect(values).toEqual(matrix(rows, columns, value(0.125)));
  });

  test('MXFP4 has powers of two', async () => {
    const powers = Uint8Array.from(numbers((rows * columns) / 32, (i) => 120 + i));
    const { values } = await valuesOf({
      'm.weight_packed': codes,
      'm.weight_scale': ['U8', [rows, columns / 32], powers],
    });
    const expected = matrix(rows, columns, (row, column) => {
      const at = row * columns + column;
      return E2M1[code(at)] * 2 ** (powers[at >> 5] - 127);
    });
    expect(values).toEqual(expected);
  });

  test('experts of gpt-oss keep their three dimensions', async () => {
    const { values, weight } = await valuesOf({
      'e.gate_up_proj_blocks': ['U8', [1, rows, columns / 32, 16], codes[2]],
      'e.gate_up_proj_scales': ['U8', [1, rows, columns / 32], new Uint8Array(6).fill(128)],
    });
    expect([weight.name, weight.shape]).toEqual(['e.gate_up_proj', [1, rows, columns]]);
    expect(values).toEqual(
      matrix(rows, columns, (row, column) => 2 * E2M1[code(row * columns + column)]),
    );
  });
});

describe('eight bits', () => {
  const codes = Uint8Array.from(numbers(6 * 10, (i) => 0x20 + i));
  const e4m3 = (byte: number) => 2 ** ((byte >> 3) - 7) * (1 + (byte & 7) / 8);

  test.each([
    [
      'weight_scale_inv',
      [2, 4],
      { weight_block_size: [4, 3] },
      (r: number, c: number) => Math.floor(r / 4) * 4 + Math.floor(c / 3),
    ],
    ['weight_scale', [6, 1], {}, (r: number) => r],
    ['scale_weight', [], {}, () => 0],
  ] as const)('FP8 with %s of shape %j', async (name, shape, quantization, place) => {
    const scales = Float32Array.from(
      numbers(
        shape.reduce<number>((a, b) => a * b, 1),
        (i) => 1 + i / 8,
      ),
    );
    const { values } = await valuesOf(
      { 'm.weight': ['F8_E4M3', [6, 10], codes], [`m.${name}`]: ['F32', shape, scales] },
      quantization,
    );
    expect(values).toEqual(matrix(6, 10, (r, c) => e4m3(codes[r * 10 + c]) * scales[place(r, c)]));
  });

  test('INT8 with zero points, and that of bitsandbytes', async () => {
    const signed = Int8Array.from(codes, (code) => code * 5);
    const scales = Float32Array.from(numbers(6, (i) => 1 / (i + 1)));
    const zeros = Int8Array.from(numbers(6, (i) => i - 3));
    const asymmetric = await valuesOf({
      'm.weight': ['I8', [6, 10], signed],
      'm.weight_scale': ['F32', [6, 1], scales],
      'm.weight_zero_point': ['I8', [6, 1], zeros],
    });
    expect(asymmetric.values).toEqual(
      matrix(6, 10, (r, c) => (signed[r * 10 + c] - zeros[r]) * scales[r]),
    );
    const bitsandbytes = await valuesOf({
      'm.weight': ['I8', [6, 10], signed],
      'm.SCB': ['F32', [6], scales],
    });
    expect(bitsandbytes.values).toEqual(
      matrix(6, 10, (r, c) => (signed[r * 10 + c] * scales[r]) / 127),
    );
  });
});

describe('MLX', () => {
  test.each([2, 3, 4, 5, 6, 8])('%i bits', async (bits) => {
    const [rows, columns, group] = [5, 96, 32];
    const code = codeAt(bits);
    const { packed, words } = packDense(rows, columns, bits, code);
    const scale = (row: number, g: number) => (row + g + 1) / 16;
    const bias = (row: number, g: number) => g - row / 4;
    const { values } = await valuesOf(
      {
        'm.weight': ['U32', [rows, words], packed],
        'm.scales': ['F32', [rows, 3], matrix(rows, 3, scale)],
        'm.biases': ['F32', [rows, 3], matrix(rows, 3, bias)],
      },
      { group_size: group, bits },
    );
    const expected = matrix(rows, columns, (row, column) => {
      const g = Math.floor(column / group);
      return code(row, column) * scale(row, g) + bias(row, g);
    });
    expect(values).toEqual(expected);
  });
});

test.each([
  ['U8', 3],
  // `bnb_4bit_quant_storage`: bytes of codes, in a tensor that calls them something else.
  ['BF16', 4],
  ['F32', 4],
] as const)(
  'bitsandbytes: the first element in the high half, blocks of the flat tensor, nested maxima (stored as %s)',
  async (storage, rows) => {
    const columns = 30;
    const count = rows * columns;
    const code = (at: number) => (at * 5) % 16;
    const map = Float32Array.from(numbers(16, (i) => i / 8 - 1));
    const nestedMap = Float32Array.from(numbers(256, (i) => i / 256));
    const blocks = Math.ceil(count / 64);
    const absmax = Uint8Array.from(numbers(blocks, (i) => 100 + i));
    const state = {
      quant_type: 'nf4',
      blocksize: 64,
      dtype: 'float16',
      shape: [rows, columns],
      nested_blocksize: 256,
      nested_offset: 0.5,
    };
    const text = new TextEncoder().encode(JSON.stringify(state));
    const { values, weight } = await valuesOf({
      'm.weight': [
        storage,
        [count / 2 / countStoredBytes(storage, 1), 1],
        Uint8Array.from(numbers(count / 2, (i) => (code(2 * i) << 4) | code(2 * i + 1))),
      ],
      'm.weight.absmax': ['U8', [blocks], absmax],
      'm.weight.quant_map': ['F32', [16], map],
      'm.weight.nested_absmax': ['F32', [1], Float32Array.of(3)],
      'm.weight.nested_quant_map': ['F32', [256], nestedMap],
      'm.weight.quant_state.bitsandbytes__nf4': ['U8', [text.length], text],
    });
    expect([weight.name, weight.shape]).toEqual(['m.weight', [rows, columns]]);
    const expected = matrix(rows, columns, (row, column) => {
      const at = row * columns + column;
      return map[code(at)] * Math.fround(nestedMap[absmax[at >> 6]] * 3 + 0.5);
    });
    expect(values).toEqual(expected);
  },
);
