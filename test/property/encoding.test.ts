// What a file holds of a chunk: WASM gives the reference's codes and scales to the bit, and they
// decode to exactly the weights that quantizing and dequantizing gives.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import {
  allowsSearch,
  findFormatEntry,
  FORMAT_CATALOGUE,
  needsTensorRange,
  parseFormat,
  type NumberFormat,
  type ScaleDtype,
} from '../../src/formats/index.js';
import { decodeChunk } from '../../src/kernels/reference/decodeChunk.js';
import type { EncodedChunk, FixedRange, Kernels } from '../../src/kernels/types.js';
import { createReferenceKernels, createWasmKernels, loadWeights } from '../support/kernels.js';
import { asWholeBlocks, chunk, groupName, scaleDtype, UNLISTED } from '../support/chunks.js';

let wasm: Kernels;
const reference = createReferenceKernels();
beforeAll(async () => {
  wasm = await createWasmKernels();
});

type Chunk = typeof chunk extends fc.Arbitrary<infer T> ? T : never;

/** The bits of floats; NaN, which has many, is one value. */
function bitsOf(floats: Float32Array): Uint32Array {
  return new Uint32Array(floats.map((x) => (Number.isNaN(x) ? NaN : x)).buffer);
}

function comparable({ scales, negativeScales, zeroPoints, ...rest }: EncodedChunk) {
  return {
    ...rest,
    scales: bitsOf(scales),
    negativeScales: negativeScales && bitsOf(negativeScales),
    zeroPoints: zeroPoints && bitsOf(zeroPoints),
  };
}

/** Encodes in both backends and checks all that is promised; returns the reference's result. */
function checkEncoding(
  format: NumberFormat,
  dtype: ScaleDtype,
  { weights, rows, columns }: Chunk,
  withTensorRange: boolean,
): EncodedChunk {
  const shape = { rows, columns };
  let tensorRange: FixedRange | undefined;
  const [expected, actual] = [reference, wasm].map((kernels) => {
    loadWeights(kernels, weights);
    const { min, max } = kernels.inspect(weights.length);
    if (withTensorRange || needsTensorRange(format)) tensorRange = { lo: min, hi: max };
    return kernels.encode(format, dtype, shape, { tensorRange });
  });
  expect(comparable(actual)).toEqual(comparable(expected));
  reference.quantize(format, dtype, shape, { keepOutput: true, tensorRange });
  const decoded = decodeChunk(format, expected, shape);
  expect(bitsOf(decoded)).toEqual(bitsOf(reference.output(weights.length).slice()));
  return expected;
}

/** Each run of the tests tries others; test/slow tries many at once. */
const RUNS = Number(process.env.QUANTSCOPE_PROPERTY_RUNS ?? 30);

const names = [...FORMAT_CATALOGUE.map(({ name }) => name), ...UNLISTED];

describe.each(names)('%s', (name) => {
  const { fixedGroup, rule, bits } = findFormatEntry(name)!;
  const block = rule.kind === 'ggml' && fixedGroup?.kind === 'columns' ? fixedGroup.size : 0;

  it('encodes alike in both backends and decodes to what quantizing gives', () => {
    fc.assert(
      fc.property(chunk, groupName, scaleDtype, fc.boolean(), (given, where, dtype, flag) => {
        const whole = block > 0 && flag ? asWholeBlocks(given.weights, block) : given;
        const format = parseFormat(fixedGroup ? name : `${name}:${where}`);
        const { codes } = checkEncoding(format, dtype, whole, flag);
        for (const code of codes) if (code >= 2 ** bits) expect.fail(`${code} of ${bits} bits`);
      }),
      { numRuns: RUNS },
    );
  });
});

const searched = names.filter((name) => allowsSearch(findFormatEntry(name)!));

describe.each(searched)('%s', (name) => {
  it.each(['mse', 'clip'])('encodes what +%s finds', (search) => {
    fc.assert(
      fc.property(chunk, fc.integer({ min: 2, max: 40 }), scaleDtype, (given, size, dtype) => {
        const small = { ...given, rows: 1, weights: given.weights.subarray(0, given.columns) };
        checkEncoding(parseFormat(`${name}:g${size}+${search}`), dtype, small, false);
      }),
      { numRuns: 4 },
    );
  });
});

describe('codes', () => {
  function encode(name: string, ...values: number[]) {
    const weights = Float32Array.from(values);
    const given = { rows: 1, columns: values.length, weights };
    return checkEncoding(parseFormat(name), 'f16', given, false);
  }

  it('of integers count from the zero point, also where the convention is signed', () => {
    expect(encode('int4:row', -0.5, 0, 1)).toEqual({
      codes: Uint8Array.of(0, 5, 15),
      scales: Float32Array.of(0.0999755859375),
      zeroPoints: Float32Array.of(5),
    });
    expect(encode('int4-absmax:row', -7, 0, 7)).toEqual({
      codes: Uint8Array.of(1, 8, 15),
      scales: Float32Array.of(1),
      zeroPoints: Float32Array.of(8),
    });
  });

  it('of dINT have ±half a step at the top', () => {
    expect(encode('dint4:row', -6, -0.5, 0, 0.5, 7)).toEqual({
      codes: Uint8Array.of(0, 15, 6, 14, 13),
      scales: Float32Array.of(1),
      zeroPoints: Float32Array.of(6),
    });
  });

  it('of small floats are their bits, of other grids their places', () => {
    const e2m1 = [-6, -0.1, -0, 0, 0.5, 1, 1.5, 2, 3, 4, 6];
    const bits = [15, 8, 0, 0, 1, 2, 3, 4, 5, 6, 7];
    expect(encode('mxfp4', ...e2m1)).toEqual({
      codes: Uint8Array.from(bits),
      scales: Float32Array.of(1),
    });
    // Its 1 is the step below the smallest normal number.
    expect([...encode('mxfp8-e4m3', 448, 1, 2 ** -9, -(2 ** -6)).codes]).toEqual([
      0x7e, 0x38, 0x01, 0x88,
    ]);
    expect(encode('afp4:row', -3, -0.05, 0, 1, 12)).toEqual({
      codes: Uint8Array.of(15, 0, 0, 1, 7),
      scales: Float32Array.of(2),
      negativeScales: Float32Array.of(0.5),
    });
    expect([...encode('nf3:row', -1, 0, 0.2, 1).codes]).toEqual([0, 3, 4, 7]);
  });

  it('of casts are their bits', () => {
    expect(encode('f16', 1, -0, 65504).codes).toEqual(Uint16Array.of(0x3c00, 0x8000, 0x7bff));
    expect(encode('bf16', 1, -2).codes).toEqual(Uint16Array.of(0x3f80, 0xc000));
    expect(encode('f32', 1, -0).codes).toEqual(Uint32Array.of(0x3f800000, 0x80000000));
  });

  it('of NVFP4 have E4M3 scales and one scale of the tensor', () => {
    const encoded = encode('nvfp4', 6 * 448, 448, ...new Array<number>(14).fill(0), 6, 6);
    expect(encoded.tensorScale).toBe(1);
    expect([...encoded.scales]).toEqual([448, 1]);
    expect([...encoded.codes.subarray(0, 2)]).toEqual([7, 2]);
  });

  it('of GGUF are in its blocks, and the last one of each row is whole', () => {
    const { codes, packedBlocks } = encode('q8_0', 127, -1, 0, ...new Array<number>(30).fill(1));
    expect(codes).toHaveLength(0);
    expect(packedBlocks).toHaveLength(2 * 34);
    expect([...packedBlocks!.subarray(0, 5)]).toEqual([0x00, 0x3c, 127, 0xff, 0]);
  });
});
