// The reference and the WASM kernels against the outputs of the published research code, to the bit.
import { beforeAll, describe, expect, it } from 'vitest';
import { quantizeChunk } from '../../src/kernels/reference/quantizeChunk.js';
import { inspectWeights } from '../../src/kernels/reference/referenceKernels.js';
import { foldErrorSums, type Kernels } from '../../src/kernels/types.js';
import { ErrorAccumulator, WeightAccumulator } from '../../src/metrics/errorAccumulator.js';
import { createWasmKernels, loadWeights } from '../support/kernels.js';
import { floatsOf } from '../support/rawSafetensors.js';
import { FORMAT_OF, formatOf, rangeOf } from './goldenFormats.js';
import {
  goldenEntries,
  goldenInput,
  goldenTensor,
  hasGoldenTensor,
  type GoldenEntry,
} from './golden.js';

/**
 * Elements an entry says nothing certain about: dINT ties (marked ambiguous), and groups that the
 * AFPQ code left unquantized because they have no positive weight (its defect; `afpq_fixed` has
 * what a correct port gives).
 */
function skippedElements(entry: GoldenEntry, rows: number, columns: number): Set<number> {
  const skipped = new Set<number>();
  if (hasGoldenTensor(entry, '.ambiguous')) {
    goldenTensor(entry, '.ambiguous').bytes.forEach((flag, i) => flag && skipped.add(i));
  }
  if (hasGoldenTensor(entry, '.ready')) {
    const { bytes, shape } = goldenTensor(entry, '.ready');
    const size = columns / shape[1];
    bytes.forEach((ready, group) => {
      for (let i = 0; !ready && i < size; i++) skipped.add(group * size + i);
    });
  }
  if (entry.name.includes('.ste.')) {
    // 0/0 of its all-zero groups; ours gives zeros.
    floatsOf(goldenTensor(entry)).forEach((value, i) => Number.isNaN(value) && skipped.add(i));
  }
  expect(skipped.size).toBeLessThan(rows * columns * 0.25);
  return skipped;
}

/** Indices where the bits differ; integer codes have no −0, which torch's arithmetic may give. */
function differences(
  actual: Float32Array,
  expected: Float32Array,
  skipped: Set<number>,
  unsignedZero = false,
) {
  const wrong: number[] = [];
  expected.forEach((value, i) => {
    const wanted = unsignedZero ? value + 0 : value;
    if (!skipped.has(i) && !Object.is(actual[i], wanted)) wrong.push(i);
  });
  return wrong;
}

let wasm: Kernels;
beforeAll(async () => {
  wasm = await createWasmKernels();
});

describe.each(Object.keys(FORMAT_OF))('%s', (family) => {
  const entries = goldenEntries(family);

  it.each(entries)('$name', (entry) => {
    const format = formatOf(entry);
    const { weights, rows, columns } = goldenInput(entry);
    const expected = floatsOf(goldenTensor(entry));
    const skipped = skippedElements(entry, rows, columns);

    const reference = new Float32Array(weights.length);
    const options = { keepOutput: true, tensorRange: rangeOf(weights) };
    const shape = { rows, columns };
    const { tensorRange } = options;
    const chunk = {
      format,
      scaleDtype: 'f32',
      shape,
      weights,
      output: reference,
      tensorRange,
    } as const;
    const raw = quantizeChunk(chunk);
    const integer = format.entry.rule.kind === 'integer';
    expect(differences(reference, expected, skipped, integer)).toEqual([]);

    loadWeights(wasm, weights);
    const sums = wasm.quantize(format, 'f32', { rows, columns }, options);
    expect(differences(wasm.output(weights.length), reference, new Set())).toEqual([]);
    expect(sums).toEqual(foldErrorSums(raw));
  });

  it.each(entries)('$name: error measures', (entry) => {
    const { weights, rows, columns } = goldenInput(entry);
    if (skippedElements(entry, rows, columns).size > 0) return;
    const totals = new WeightAccumulator();
    totals.add(inspectWeights(weights.slice()));
    const errors = new ErrorAccumulator();
    errors.add(
      foldErrorSums(
        quantizeChunk({
          format: formatOf(entry),
          scaleDtype: 'f32',
          shape: { rows, columns },
          weights,
          tensorRange: rangeOf(weights),
        }),
      ),
    );
    const measures = errors.measures(totals);
    const { mse, max_abs, sqnr_db, cosine, zeros_from_nonzero } = entry.metrics;
    expect(measures.mse / mse).toBeCloseTo(1, 12);
    expect(measures.maxAbsError).toBe(max_abs);
    expect(measures.sqnrDb).toBeCloseTo(sqnr_db, 9);
    expect(measures.cosine).toBeCloseTo(cosine, 9);
    expect(errors.sums.underflow).toBe(zeros_from_nonzero);
  });
});
