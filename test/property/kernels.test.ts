// WASM equals the reference to the bit, whatever the weights, shapes and formats.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  FORMAT_CATALOGUE,
  findFormatEntry,
  needsTensorRange,
  parseFormat,
} from '../../src/formats/index.js';
import type { Kernels } from '../../src/kernels/types.js';
import type { ElementTypeName } from '../../src/storage/elementTypes.js';
import { asWholeBlocks, chunk, groupName, scaleDtype, UNLISTED } from '../support/chunks.js';
import { createReferenceKernels, createWasmKernels, loadWeights } from '../support/kernels.js';

let wasm: Kernels;
const reference = createReferenceKernels();
beforeAll(async () => {
  wasm = await createWasmKernels();
});

const names = [...FORMAT_CATALOGUE.map(({ name }) => name), ...UNLISTED];

describe.each(names)('%s', (name) => {
  const { fixedGroup, rule } = findFormatEntry(name)!;
  const block = rule.kind === 'ggml' && fixedGroup?.kind === 'columns' ? fixedGroup.size : 0;

  it('gives the same weights and sums in WASM and in the reference', () => {
    fc.assert(
      fc.property(chunk, groupName, scaleDtype, fc.boolean(), (given, where, dtype, flag) => {
        const { weights, ...shape } =
          block > 0 && flag ? asWholeBlocks(given.weights, block) : given;
        const format = parseFormat(fixedGroup ? name : `${name}:${where}`);
        const results = [reference, wasm].map((kernels) => {
          loadWeights(kernels, weights);
          const inspected = kernels.inspect(weights.length);
          const tensorRange =
            flag || needsTensorRange(format) ? { lo: inspected.min, hi: inspected.max } : undefined;
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
