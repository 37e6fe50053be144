// GGUF's block formats against blocks and values that ggml itself produced, to the bit.
import { beforeAll, describe, expect, it } from 'vitest';
import type { GgmlTypeName } from '../../src/formats/types.js';
import { GGML_TYPES } from '../../src/kernels/reference/ggml/index.js';
import { createGgmlKernel, quantizeByReference, type GgmlResult } from '../support/ggml.js';
import { floatsOf } from '../support/rawSafetensors.js';
import { goldenEntries, goldenInput, goldenTensor, type GoldenEntry } from './golden.js';

function typeOf(entry: GoldenEntry) {
  return GGML_TYPES[entry.fmt?.toLowerCase() as GgmlTypeName];
}

/** Indices where the two differ, −0 from 0 too. */
function differences(actual: ArrayLike<number>, expected: Float32Array): number[] {
  expect(actual.length).toBe(expected.length);
  return Array.from(expected.keys()).filter((i) => !Object.is(actual[i], expected[i]));
}

function expectGolden({ packed, values }: GgmlResult, entry: GoldenEntry): void {
  expect(differences(packed, floatsOf(goldenTensor(entry, '.blocks')))).toEqual([]);
  expect(differences(values, floatsOf(goldenTensor(entry)))).toEqual([]);
}

let quantizeByWasm: Awaited<ReturnType<typeof createGgmlKernel>>;
beforeAll(async () => {
  quantizeByWasm = await createGgmlKernel(64 * 256);
});

const entries = goldenEntries('ggml');

it('has vectors of every type', () => {
  expect(new Set(entries.map((entry) => typeOf(entry)))).toEqual(
    new Set(Object.values(GGML_TYPES)),
  );
});

describe.each(entries)('$name', (entry) => {
  const { weights } = goldenInput(entry);

  it('is what the reference gives', () => {
    const result = quantizeByReference(typeOf(entry), weights);
    expectGolden(result, entry);
    let squares = 0;
    let largest = 0;
    result.values.forEach((value, i) => {
      const error = value - weights[i];
      squares += error * error;
      largest = Math.max(largest, Math.abs(error));
    });
    expect(squares / weights.length / entry.metrics.mse).toBeCloseTo(1, 6);
    expect(largest / entry.metrics.max_abs).toBeCloseTo(1, 6);
  });

  it('is what WASM gives', () => {
    expectGolden(quantizeByWasm(typeOf(entry), weights), entry);
  });
});
