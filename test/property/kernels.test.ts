// WASM equals the reference to the bit, whatever the weights, shapes and formats.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  FORMAT_CATALOGUE,
  findFormatEntry,
  parseFormat,
  type ScaleDtype,
} from '../../src/formats/index.js';
import type { Kernels } from '../../src/kernels/types.js';
import type { ElementTypeName } from '../../src/storage/elementTypes.js';
import { createReferenceKernels, createWasmKernels, loadWeights } from '../support/kernels.js';

let wasm: Kernels;
const reference = createReferenceKernels();
beforeAll(async () => {
  wasm = await createWasmKernels();
});

const bits = new DataView(new ArrayBuffer(4));
/** Any f32 bit pattern at all: NaN payloads, infinities, denormals, ±0. */
const anyFloat = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }).map((pattern) => {
  bits.setInt32(0, pattern);
  return bits.getFloat32(0);
});
/** Weights as they look in models, and the corners that go wrong. */
const weight = fc.oneof(
  { weight: 12, arbitrary: fc.double({ min: -0.5, max: 0.5, noNaN: true }) },
  { weight: 2, arbitrary: fc.integer({ min: -30, max: 30 }).map((n) => n / 4) },
  { weight: 2, arbitrary: fc.constantFrom(0, -0, 1e-45, -1e-40, 2 ** -126, 3.4e38, -3.4e38) },
  { weight: 1, arbitrary: fc.constantFrom(NaN, Infinity, -Infinity) },
  { weight: 1, arbitrary: anyFloat },
);
const chunk = fc
  .record({ rows: fc.integer({ min: 1, max: 4 }), columns: fc.integer({ min: 1, max: 150 }) })
  .chain(({ rows, columns }) =>
    fc.record({
      rows: fc.constant(rows),
      columns: fc.constant(columns),
      // Sometimes one sign only, sometimes nothing but zeros.
      sign: fc.constantFrom<(x: number) => number>(
        (x) => x,
        Math.abs,
        (x) => -Math.abs(x),
        () => 0,
      ),
      values: fc.array(weight, { minLength: rows * columns, maxLength: rows * columns }),
    }),
  )
  .map(({ rows, columns, sign, values }) => ({
    rows,
    columns,
    weights: Float32Array.from(values, sign),
  }));
const scaleDtype = fc.constantFrom<ScaleDtype>('f32', 'f16', 'bf16');
const group = fc.oneof(
  fc.integer({ min: 2, max: 160 }).map((n) => `g${n}`),
  fc.constantFrom('row', 'tensor'),
);

/** Formats that are understood but not listed. */
const UNLISTED = [
  'afp5-e2m2',
  'fp7-e4m2',
  'fp8-e7m0',
  'fp4-e2m1-even',
  'mxfp4-away',
  'nvfp4-onelevel',
];
const names = [
  ...FORMAT_CATALOGUE.map(({ name }) => name),
  ...UNLISTED,
  'int2-awq-away',
  'anf3-ste',
];

/** GGUF's kernels take whole blocks only: the chunk as one row, repeated until it fills some. */
function asWholeBlocks(weights: Float32Array, block: number) {
  const columns = Math.ceil(weights.length / block) * block;
  return {
    rows: 1,
    columns,
    weights: Float32Array.from({ length: columns }, (_, i) => weights[i % weights.length]),
  };
}

describe.each(names)('%s', (name) => {
  const { fixedGroup, rule } = findFormatEntry(name)!;
  const block = rule.kind === 'ggml' && fixedGroup?.kind === 'columns' ? fixedGroup.size : 0;

  it('gives the same weights and sums in WASM and in the reference', () => {
    fc.assert(
      fc.property(chunk, group, scaleDtype, fc.boolean(), (given, where, dtype, flag) => {
        const { weights, ...shape } =
          block > 0 && flag ? asWholeBlocks(given.weights, block) : given;
        const format = parseFormat(fixedGroup ? name : `${name}:${where}`);
        const results = [reference, wasm].map((kernels) => {
          loadWeights(kernels, weights);
          const inspected = kernels.inspect(weights.length);
          const tensorRange =
            flag || name === 'nvfp4' ? { lo: inspected.min, hi: inspected.max } : undefined;
          const sums = kernels.quantize(format, dtype, shape, { keepOutput: true, tensorRange });
          // One NaN for all: its payload is no result.
          const output = kernels.output(weights.length).map((x) => (Number.isNaN(x) ? NaN : x));
          return { inspected, sums, output: Buffer.from(output.buffer).toString('hex') };
        });
        expect(results[1]).toEqual(results[0]);
      }),
      { numRuns: 100 },
    );
  });
});

describe.each(['int4', 'int3-sym', 'afp4', 'nf3', 'dint4', 'fp6-e2m3'])('%s', (name) => {
  it.each(['mse', 'clip'])('searches alike with +%s', (search) => {
    fc.assert(
      fc.property(chunk, fc.integer({ min: 2, max: 40 }), ({ weights, ...shape }, size) => {
        const format = parseFormat(`${name}:g${size}+${search}`);
        const [expected, actual] = [reference, wasm].map((kernels) => {
          loadWeights(kernels, weights);
          kernels.inspect(weights.length);
          const sums = kernels.quantize(format, 'f16', shape, { keepOutput: true });
          return { sums, output: [...kernels.output(weights.length)] };
        });
        expect(actual).toEqual(expected);
      }),
      { numRuns: 10 },
    );
  });
});

describe('weights', () => {
  it('finds the same group extremes', () => {
    fc.assert(
      fc.property(chunk, fc.integer({ min: 1, max: 160 }), ({ weights, ...shape }, size) => {
        const [expected, actual] = [reference, wasm].map((kernels) => {
          loadWeights(kernels, weights);
          kernels.inspect(weights.length);
          return kernels.groupExtremes(shape, Math.min(size, shape.columns));
        });
        expect(actual).toEqual(expected);
      }),
    );
  });

  it.each<ElementTypeName>(['F16', 'BF16'])('decodes every %s code alike', (dtype) => {
    const codes = Uint16Array.from({ length: 65536 }, (_, code) => code);
    const [expected, actual] = [reference, wasm].map((kernels) => {
      kernels.input(dtype, codes.length).set(new Uint8Array(codes.buffer));
      kernels.decode(dtype, codes.length);
      return kernels.weights(codes.length).slice();
    });
    expect(actual).toEqual(expected);
    // Not only alike: 1.0, the smallest denormal and infinity are what the formats say.
    const one = dtype === 'F16' ? 0x3c00 : 0x3f80;
    expect(actual[one]).toBe(1);
    expect(actual[1]).toBe(dtype === 'F16' ? 2 ** -24 : 2 ** -133);
    expect(actual[dtype === 'F16' ? 0xfc00 : 0xff80]).toBe(-Infinity);
  });
});
