// Codes, scales and zero points against those of the published research code, to the bit.
import { beforeAll, describe, expect, it } from 'vitest';
import type { NumberFormat } from '../../src/formats/index.js';
import type { EncodedChunk, Kernels } from '../../src/kernels/types.js';
import { createReferenceKernels, createWasmKernels, loadWeights } from '../support/kernels.js';
import { floatsOf } from '../support/rawSafetensors.js';
import {
  goldenEntries,
  goldenInput,
  goldenTensor,
  hasGoldenTensor,
  type GoldenEntry,
} from './golden.js';
import { FORMAT_OF, formatOf, rangeOf } from './goldenFormats.js';

/** Where an entry has what the encoding has. */
const PARTS: Readonly<Record<string, (encoded: EncodedChunk) => Float32Array | undefined>> = {
  '.scale': ({ scales }) => scales,
  '.scale_pos': ({ scales }) => scales,
  '.scale_neg': ({ negativeScales }) => negativeScales,
  '.zero': ({ zeroPoints }) => zeroPoints,
  '.absmax': ({ scales }) => scales,
  '.block_scale_e4m3_as_f32': ({ scales }) => scales,
  '.tensor_scale': ({ tensorScale }) => Float32Array.of(tensorScale ?? 1),
};

/** bitsandbytes' values of FP4 codes 1 to 7; 8 more is the negative. */
const BNB_FP4 = [0.0625, 2, 3, 4, 6, 8, 12];
const BNB_FP4_CODES = [1, 6, 7, 4, 5, 2, 3];

/** Codes of bitsandbytes, two to a byte, the first in the upper half. */
function packForBitsandbytes({ entry: { rule, name } }: NumberFormat, codes: ArrayLike<number>) {
  if (rule.kind !== 'grid') throw new Error(`${name} has no grid`);
  const { levels } = rule.grid;
  const codeOf = (place: number) => {
    if (name === 'bnb-nf4') return place;
    const magnitude = Math.abs(levels[place] * 12);
    const nearest = BNB_FP4.findIndex((value) => Math.abs(value - magnitude) < 1e-3);
    return nearest < 0 ? 0 : BNB_FP4_CODES[nearest] + (levels[place] < 0 ? 8 : 0);
  };
  return Uint8Array.from(
    { length: codes.length / 2 },
    (_, i) => (codeOf(codes[2 * i]) << 4) | codeOf(codes[2 * i + 1]),
  );
}

/** Packed FP4 codes with one zero: bitsandbytes has 8 for small weights < 0, which decodes to 0 too. */
function oneZero({ entry: { name } }: NumberFormat, packed: Uint8Array): Uint8Array {
  if (name !== 'bnb-fp4') return Uint8Array.from(packed);
  const one = (code: number) => (code === 8 ? 0 : code);
  return Uint8Array.from(packed, (byte) => (one(byte >> 4) << 4) | one(byte & 15));
}

const encodedEntries = Object.keys(FORMAT_OF)
  .flatMap(goldenEntries)
  .filter((entry) => Object.keys(PARTS).some((suffix) => hasGoldenTensor(entry, suffix)));

let backends: Kernels[];
beforeAll(async () => {
  backends = [createReferenceKernels(), await createWasmKernels()];
});

/**
 * Groups whose parameters an entry does not settle: those that AFPQ's code left unquantized (its
 * defect), and all-zero ones in dINT, where any scale gives zeros.
 */
function unsettled(entry: GoldenEntry, groupSize: number): (group: number) => boolean {
  const ready = hasGoldenTensor(entry, '.ready') ? goldenTensor(entry, '.ready').bytes : undefined;
  const { weights } = goldenInput(entry);
  return (group) => {
    const own = weights.subarray(group * groupSize, (group + 1) * groupSize);
    return ready?.[group] === 0 || (entry.family === 'dint' && own.every((w) => w === 0));
  };
}

/** Where a dINT code lies from the zero point; the two denormal codes as they are. */
function dintLevel(code: number, bits: number, zeroPoint: number): number {
  return code >= 2 ** bits - 2 ? code : code - zeroPoint;
}

it('has the entries it is about', () => {
  expect(encodedEntries.length).toBeGreaterThan(50);
});

describe.each(encodedEntries)('$name', (entry) => {
  const format = formatOf(entry);
  const { weights, rows, columns } = goldenInput(entry);

  it('encodes as the original code does', () => {
    for (const kernels of backends) {
      loadWeights(kernels, weights);
      const tensorRange = rangeOf(weights);
      const encoded = kernels.encode(format, 'f32', { rows, columns }, { tensorRange });
      const groupSize = weights.length / encoded.scales.length;
      const skipped = unsettled(entry, groupSize);
      for (const [suffix, partOf] of Object.entries(PARTS)) {
        // Zero points of dINT may be ties, which its codes leave open; see below.
        const open = suffix === '.zero' && entry.family === 'dint';
        if (open || !hasGoldenTensor(entry, suffix)) continue;
        const expected = floatsOf(goldenTensor(entry, suffix)).map((x) => x + 0);
        const actual = partOf(encoded);
        expect(actual, suffix).toHaveLength(expected.length);
        const wrong = [...expected.keys()].filter(
          (group) => !skipped(group) && !Object.is(actual![group], expected[group]),
        );
        expect(wrong, suffix).toEqual([]);
      }
      if (hasGoldenTensor(entry, '.code')) {
        const uncertain = goldenTensor(entry, '.ambiguous').bytes;
        const zeros = floatsOf(goldenTensor(entry, '.zero'));
        const wrong = [...goldenTensor(entry, '.code').bytes].flatMap((code, i) => {
          const group = Math.floor(i / groupSize);
          const expected = dintLevel(code, entry.bits, zeros[group]);
          const actual = dintLevel(encoded.codes[i], entry.bits, encoded.zeroPoints![group]);
          return uncertain[i] || actual === expected ? [] : [i];
        });
        expect(wrong).toEqual([]);
      }
      if (hasGoldenTensor(entry, '.packed')) {
        const packed = packForBitsandbytes(format, encoded.codes);
        expect(packed).toEqual(oneZero(format, goldenTensor(entry, '.packed').bytes));
      }
    }
  });
});
