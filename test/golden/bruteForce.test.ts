// Block formats against their definitions evaluated by brute force, on the inputs of the golden vectors and on weights
// with every oddity. No published code made these values: they are derived.
import fc from 'fast-check';
import { beforeAll, describe, expect, it } from 'vitest';
import { parseFormat } from '../../src/formats/index.js';
import type { Kernels } from '../../src/kernels/types.js';
import { DEFINITIONS, quantizeByDefinition } from '../support/bruteForce/blocks.js';
import { chunk } from '../support/chunks.js';
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
