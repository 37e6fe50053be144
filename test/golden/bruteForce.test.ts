// Block formats against their definitions evaluated by brute force, on the inputs of the golden vectors and on weights
// with every oddity. No published code made these values: they are derived.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import type { Kernels } from '../../src/kernels/types.js';
import { DEFINITIONS, quantizeByDefinition } from '../support/bruteForce/blocks.js';
import { GGUF_DEFINITIONS } from '../support/bruteForce/gguf.js';
import { asWholeBlocks, chunk } from '../support/chunks.js';
import { createReferenceKernels, createWasmKernels, loadWeights } from '../support/kernels.js';
import { goldenInputs } from './golden.js';

let wasm: Kernels;
const reference = createReferenceKernels();
beforeAll(async () => {
  wasm = await createWasmKernels();
});

/** Values of the finite weights of a matrix, by the reference or by WASM. */
function quantize(kernels: Kernels, name: string, weights: Float32Array, columns: number) {
  loadWeights(kernels, weights);
  const { min, max } = kernels.inspect(weights.length);
  const shape = { rows: weights.length / columns, columns };
  const tensorRange = { lo: min, hi: max };
  kernels.quantize(parseFormat(name), 'f16', shape, { keepOutput: true, tensorRange });
  return { weights: [...kernels.weights(weights.length)], values: kernels.output(weights.length) };
}

function expectDefinition(name: string, weights: Float32Array, columns: number): void {
  for (const kernels of [reference, wasm]) {
    const { weights: finite, values } = quantize(kernels, name, weights, columns);
    const expected = quantizeByDefinition(name, finite, columns);
    // The sign of a zero is not part of a definition.
    const wrong = expected.flatMap((value, i) =>
      values[i] === value ? [] : [{ i, weight: finite[i], value: values[i], expected: value }],
    );
    expect(wrong.slice(0, 3), kernels.backend).toEqual([]);
  }
}

describe.each(Object.keys(DEFINITIONS))('%s is its definition', (name) => {
  it.each(goldenInputs())('on $name', ({ weights, columns }) => {
    expectDefinition(name, weights, columns);
  });

  it('on any weights', () => {
    fc.assert(
      fc.property(chunk, ({ weights, columns }) => expectDefinition(name, weights, columns)),
      { numRuns: 60 },
    );
  });
});

/** Blocks of a matrix whose rows are filled up with zeros. */
function blocksOfRows(weights: readonly number[], columns: number, size: number): number[][] {
  const blocks: number[][] = [];
  for (let row = 0; row < weights.length; row += columns) {
    for (let at = 0; at < columns; at += size) {
      const block = weights.slice(row + at, row + Math.min(at + size, columns));
      blocks.push([...block, ...new Array<number>(size - block.length).fill(0)]);
    }
  }
  return blocks;
}

function expectGguf(name: string, weights: Float32Array, columns: number): void {
  const { blockSize, quantize: byDefinition } = GGUF_DEFINITIONS[name];
  for (const kernels of [reference, wasm]) {
    const { weights: finite, values } = quantize(kernels, name, weights, columns);
    const blocks = blocksOfRows(finite, columns, blockSize).map((block) => byDefinition(block));
    const stored = blocks.flatMap((block) => block.values);
    const perRow = Math.ceil(columns / blockSize) * blockSize;
    const wrong = [...values].flatMap((value, i) => {
      const expected = stored[Math.floor(i / columns) * perRow + (i % columns)];
      return value === expected || (Number.isNaN(value) && Number.isNaN(expected))
        ? []
        : [{ i, weight: finite[i], value, expected }];
    });
    expect(wrong.slice(0, 3), kernels.backend).toEqual([]);
    const shape = { rows: weights.length / columns, columns };
    const { packedBlocks } = kernels.encode(parseFormat(name), 'f16', shape);
    expect([...packedBlocks!], kernels.backend).toEqual(blocks.flatMap(({ bytes }) => bytes));
  }
}

describe.each(Object.keys(GGUF_DEFINITIONS))('%s is its definition, bytes included', (name) => {
  it.each(goldenInputs())('on $name', ({ weights, columns }) => {
    expectGguf(name, weights, columns);
  });

  it('on any weights', () => {
    const { blockSize } = GGUF_DEFINITIONS[name];
    fc.assert(
      fc.property(chunk, fc.boolean(), (given, whole) => {
        const { weights, columns } = whole ? asWholeBlocks(given.weights, blockSize) : given;
        expectGguf(name, weights, columns);
      }),
      { numRuns: 40 },
    );
  });
});
