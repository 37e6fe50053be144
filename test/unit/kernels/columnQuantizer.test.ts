// Weights quantized by stored parameters are those of the group's quantizer.
import { describe, expect, it } from 'vitest';
import { FORMAT_CATALOGUE } from '../../../src/formats/catalogue.js';
import { parseFormat } from '../../../src/formats/index.js';
import { makeColumnQuantizer } from '../../../src/kernels/reference/columnQuantizer.js';
import { encodeChunk } from '../../../src/kernels/reference/encodeChunk.js';
import { fitGroup } from '../../../src/kernels/reference/fitGroup.js';
import { makeFormat } from '../../../src/formats/names.js';
import { Random } from '../../support/forwardScene.js';

const NAMES = [
  ...FORMAT_CATALOGUE.filter(
    ({ rule }) => rule.kind !== 'ggml' && rule.kind !== 'block-choice',
  ).map(({ name }) => name),
  'int3-awq-away',
  'nf3-ste',
  'anf3-ste',
  'mxfp4-away',
];

describe('column quantizer', () => {
  it.each(NAMES)('%s', (name) => {
    const { entry } = parseFormat(name);
    const { rule } = entry;
    if (rule.kind === 'ggml' || rule.kind === 'block-choice') throw new Error('Not a group rule');
    const format = makeFormat(entry, { kind: 'row' });
    const quantizeColumn = makeColumnQuantizer(rule);
    const random = new Random(3);
    const wrong: string[] = [];
    for (const kind of ['both', 'positive', 'negative', 'zero'] as const) {
      const group = random.floats(32).map((weight) => {
        const sign = kind === 'both' ? Math.sign(weight) : kind === 'negative' ? -1 : 1;
        return kind === 'zero' ? 0 : sign * Math.abs(weight);
      });
      const range = { lo: Math.min(...group), hi: Math.max(...group) };
      const tensorRange = { lo: -2, hi: 3 };
      const { quantizer } = fitGroup(format, 'f16', group, tensorRange);
      const shape = { rows: 1, columns: 32 };
      const encoded = encodeChunk(format, 'f16', shape, group, tensorRange);
      // Weights of the group, some beyond it, and points between levels where ties are.
      const step = (range.hi - range.lo) / 60;
      const weights = [
        ...group,
        ...random.floats(64).map((weight) => 2 * weight),
        ...Array.from({ length: 90 }, (_, i) => Math.fround(range.lo + (i - 15) * step)),
        ...[0, -0, 1e-30, -1e-30, 1e30, -1e30],
      ];
      for (const weight of weights) {
        const column = Float32Array.of(weight);
        const none = new Float32Array(1);
        const { scales, negativeScales = none, zeroPoints = none, tensorScale } = encoded;
        quantizeColumn(column, { scales, negativeScales, zeroPoints, tensorScale }, 0);
        const { value } = quantizer.quantize(Math.fround(weight));
        if (column[0] !== Math.fround(value)) {
          wrong.push(`${kind}: ${weight} became ${column[0]} instead of ${value}`);
        }
      }
    }
    expect(wrong).toEqual([]);
  });
});
